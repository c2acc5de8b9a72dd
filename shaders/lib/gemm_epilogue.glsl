// SPDX-License-Identifier: MIT
// The epilogue of matmul and conv2d, after lib/gemm.glsl or lib/gemm_texel.glsl.
#define EPILOGUE_BITS (EPILOGUE == 8u ? epilogue : EPILOGUE)
// Yields the bias of quad n of the columns.
#define gemm_bias(n) ((EPILOGUE_BITS & 1u) != 0u ? bias_load(min(n, n_quads - 1u)) : vec4(0.0))

// Returns act(scale sum + b + row) + residual with the terms that flags selects. row_at, residual_at: indices of theirs.
vec4 gemm_epilogue(uint flags, vec4 sum, float scale, vec4 b, uint row_at, uint residual_at) {
    vec4 v = sum * scale + b;
    if ((flags & 2u) != 0u) v += row_load(row_at);
    v = act_apply(ACT, v);
    if ((flags & 4u) != 0u) v += residual_load(residual_at);
    return v;
}
