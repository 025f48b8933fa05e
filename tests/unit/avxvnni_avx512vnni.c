/* SPDX-License-Identifier: Apache-2.0
 * The AVX-VNNI kernels with their one instruction in AVX-512's encoding (the file's name asks for these flags), since
 * many a machine that tests has AVX512-VNNI and not AVX-VNNI. Linked to the programs that include kernel_tables.h. */
#include "run/kernels/kernels_avxvnni.c"
