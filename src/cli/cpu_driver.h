// SPDX-License-Identifier: MIT
// Chooses the threads and the vectors of lavapipe, Mesa's CPU driver. It reads them from the
// environment at the first Vulkan call. What a user has set stays.
#ifndef FUM_CLI_CPU_DRIVER_H
#define FUM_CLI_CPU_DRIVER_H

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

// Returns how many threads lavapipe takes: four for each processor where a step has
// CLI_LARGE_STEP_FLOPS or more, or 0 for the driver's choice. Lavapipe cuts each dispatch into
// equal parts, one for each thread, and waits for the last. If each processor has one thread, the
// others idle while a slow or busy one ends its part. The system moves threads if there are more.
// The dispatches of small models end sooner than so many threads wake.
long cli_driver_threads(long processors, double step_flops);
#define CLI_LARGE_STEP_FLOPS 5e10

// Operations of a run, and of one of its steps; 0 if unknown.
struct cli_run_flops {
    double run, step;
};

// Sets LP_NATIVE_VECTOR_WIDTH and LP_NUM_THREADS for such a run, each unless the user has set it,
// and logs that. Before the first call that reaches Vulkan.
void cli_prepare_cpu_driver(struct cli_run_flops flops, const struct fum_log *log);

// Gives what Mesa compiles with the vectors of LP_NATIVE_VECTOR_WIDTH a folder of its own, if that
// is set. Mesa 25 names kernels in its cache without the width, and would run those of another.
// Before the first call that reaches Vulkan.
void cli_separate_kernels(void);
// Writes the name of that folder. Returns false if the environment names none to put it in.
bool cli_kernel_folder(char *folder, size_t size, unsigned long width);

#endif
