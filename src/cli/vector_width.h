// SPDX-License-Identifier: MIT
// Chooses how wide lavapipe's vectors are on this CPU for a run of a given length. Mesa takes 256
// bits by itself, even where 512 are faster; it reads LP_NATIVE_VECTOR_WIDTH once, before the first
// Vulkan call.
#ifndef FUM_CLI_VECTOR_WIDTH_H
#define FUM_CLI_VECTOR_WIDTH_H

#include <fumarole/core.h>

#include <stdbool.h>

// Identifies a CPU, as CPUID reports it.
struct cli_cpu {
    char vendor[13]; // "GenuineIntel"
    unsigned family, model;
    bool avx512; // F, DQ, BW and VL, and the system saves their registers
};

// Reads what the CPU is. False on CPUs other than x86.
bool cli_cpu_read(struct cli_cpu *cpu);
// True if products of 512 bits run at twice the rate of those of 256.
bool cli_cpu_full_rate_512(const struct cli_cpu *cpu);
// Returns 512, or 0 for the driver's choice. Kernels of 512 bits take twice as long to compile, so
// only runs of CLI_LONG_RUN_FLOPS or more use them.
int cli_vector_width(const struct cli_cpu *cpu, double flops);
#define CLI_LONG_RUN_FLOPS 2e12

// Sets LP_NATIVE_VECTOR_WIDTH, unless the user has set it, and logs that. Before the first call
// that reaches Vulkan.
void cli_choose_vector_width(double flops, const struct fum_log *log);

// Gives what Mesa compiles with the vectors of LP_NATIVE_VECTOR_WIDTH a folder of its own, if that
// is set. Mesa 25 names kernels in its cache without the width, and would run those of another.
// Before the first call that reaches Vulkan.
void cli_separate_kernels(void);
// Writes the name of that folder. Returns false if the environment names none to put it in.
bool cli_kernel_folder(char *folder, size_t size, unsigned long width);

#endif
