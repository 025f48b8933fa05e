/* SPDX-License-Identifier: Apache-2.0
 * What to do about an operator that the interpreter does not have. In: its domain and name. Out: a few words for the
 * message, where there is something to be done. */
#include <string.h>

#include "convert/interpret/ops/ops.h"

#define CACHE "export the encoder without a cache of keys and values"
#define PACKING "optimize without packing (attention over padded texts)"
#define LAYOUT "save the optimized model at onnxruntime's level 'extended'; 'all' has layouts for one processor"
#define WIDTH "weights of 8 bits or floats needed"
#define SEQUENCES "export without lists of tensors"

/* A name that ends with '*' stands for all that begin so; a domain alone for all of its operators. */
static const struct { const char *domain, *op_type, *advice; } known[] = {
    {"com.microsoft", "PackedAttention", PACKING},
    {"com.microsoft", "PackedMultiHeadAttention", PACKING},
    {"com.microsoft", "RemovePadding", PACKING},
    {"com.microsoft", "RestorePadding", PACKING},
    {"com.microsoft", "Decoder*", CACHE},
    {"com.microsoft", "GroupQueryAttention", CACHE},
    {"com.microsoft", "PagedAttention", CACHE},
    {"com.microsoft", "LongformerAttention", "export attention over all tokens"},
    {"com.microsoft", "SparseAttention", "export attention over all tokens"},
    {"com.microsoft", "QOrdered*", "quantize for onnxruntime's CPU provider"},
    {"com.microsoft", "MatMulNBits", WIDTH},
    {"com.microsoft", "MatMulBnb4", WIDTH},
    {"com.microsoft", "GatherBlockQuantized", WIDTH},
    {"com.microsoft", "NhwcMaxPool", LAYOUT},
    {"com.microsoft", "EPContext", "save the model without an execution provider's compiled parts"},
    {"com.microsoft", "BertTokenizer", "export the encoder without its tokenizer"},
    {"com.microsoft", "*", "optimize without fusing it, or below onnxruntime's level 'extended'"},
    {"com.microsoft.nchwc", "*", LAYOUT},
    {"com.ms.internal.nhwc", "*", LAYOUT},
    {"ai.onnx.contrib", "*", "export the encoder without its tokenizer"},
    {"ai.onnx.ml", "*", "export the encoder alone, without what stands around it"},
    {"", "Loop", "export without control flow"},
    {"", "Scan", "export without control flow"},
    {"", "Sequence*", SEQUENCES},
    {"", "ConcatFromSequence", SEQUENCES},
    {"", "SplitToSequence", SEQUENCES},
};

static int fits(const char *pattern, const char *name) {
    const size_t n = strlen(pattern);
    if (n > 0 && pattern[n - 1] == '*') return strncmp(pattern, name, n - 1) == 0;
    return strcmp(pattern, name) == 0;
}

const char *ops_advice(const char *domain, const char *op_type) {
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].domain, domain) == 0 && fits(known[i].op_type, op_type)) return known[i].advice;
    return NULL;
}
