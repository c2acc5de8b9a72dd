// SPDX-License-Identifier: MIT
// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). As in torch's
// CUDA generator, element i takes the counter (offset, 0, i, 0).
uvec4 philox(uvec4 c, uvec2 k) {
    for (int round = 0; round < 10; round++) {
        uint high0, low0, high1, low1;
        umulExtended(0xd2511f53u, c.x, high0, low0);
        umulExtended(0xcd9e8d57u, c.z, high1, low1);
        c = uvec4(high1 ^ c.y ^ k.x, low1, high0 ^ c.w ^ k.y, low0);
        k += uvec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}
