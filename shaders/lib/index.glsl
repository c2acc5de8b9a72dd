// SPDX-License-Identifier: MIT
// The workgroup size is specialisation constants 0..2 of every shader; those of the shader itself start at 3.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

// The linear number of the workgroup when fum_groups_1d spread them over x and y.
uint group_index() { return gl_WorkGroupID.x + gl_NumWorkGroups.x * gl_WorkGroupID.y; }
// The linear number of the invocation over all workgroups.
uint item_index() { return group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x; }
