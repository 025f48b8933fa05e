/* SPDX-License-Identifier: Apache-2.0
 * The AVX-VNNI tier's 8-bit products with their one instruction in AVX-512's encoding (the file's name asks for these
 * flags), for test_int8.c on machines without AVX-VNNI. */
#include "convert/math/int8_avxvnni.c"
