#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# calls.sh FUMAROLE LAYERS [STEP]: a run of two tiny pictures in which one Vulkan call fails and leaves
# garbage in its results. The program says one right line, ends with status 1, crashes and leaks nothing, and
# keeps what was finished. Some calls are enough for the short suite; with STEP every STEP-th call fails.
. "$(dirname "${BASH_SOURCE[0]}")/sweep.sh"

export VK_LAYER_PATH=$2 VK_INSTANCE_LAYERS=VK_LAYER_FUMAROLE_failing
export NODEVICE_SELECT=1 # Mesa's layer for that crashes when a listing fails
every=${3:-}

codes=(-4 -2 -1 -3 -13) # lost, out of device memory, out of host memory, initialisation failed, unknown
calls=(CreateInstance CreateDevice EnumeratePhysicalDevices EnumerateDeviceExtensionProperties CreateBuffer
    AllocateMemory MapMemory CreateBufferView CreateShaderModule CreatePipelineLayout
    CreateDescriptorSetLayout CreatePipelineCache CreateComputePipelines CreateCommandPool
    AllocateCommandBuffers CreateDescriptorPool AllocateDescriptorSets CreateSemaphore BindBufferMemory
    BeginCommandBuffer EndCommandBuffer QueueSubmit
    WaitSemaphores)

# fail_call CODE ON AFTER AT [NAME]: one run with the AT-th call (of that name) failing.
fail_call() {
    FUM_FAIL_CODE=$1 FUM_FAIL_ON=$2 FUM_FAIL_AFTER=$3 FUM_FAIL_AT=$4 FUM_FAIL_CALL=${5:-} \
        check_run "call $4 ${5:-} with code $1, on $2, after $3" \
        'fumarole: .*(lost|memory|driver|device|cache)'
}

pictures
FUM_FAIL_COUNT=$work/count make_right || exit 1
count=$(cat count)
[ "$count" -gt 300 ] || { echo "only $count calls: the layer is not in use"; exit 1; }

for ((i = 0; i < ${#calls[@]}; i++)); do
    fail_call "${codes[i % 5]}" $((i % 2)) $((i / 2 % 2)) 1 "${calls[i]}"
done
check_run 'nothing failing' 'nothing'
FUM_FAIL_CODE=-1 FUM_FAIL_AT=1 FUM_FAIL_CALL=GetPipelineCacheData check_run 'reading the cache' 'nothing'
grep -q 'pipeline cache is not kept: .*host memory' err.txt ||
    complain 'a cache that cannot be read is not reported'

step=$((count / 12))
[ "$every" ] && step=$every
for ((at = 1; at <= count; at += step)); do
    round=$((at / step))
    fail_call "${codes[round % 5]}" $((round / 5 % 2)) $((round / 10 % 2)) "$at"
done
echo "$count calls, every ${step}th failed"
finish
