/* SPDX-License-Identifier: Apache-2.0
 *
 * The .minnow file as reader and writer share it; docs/FORMAT.md tells it byte by byte.
 *
 *     header 64 | section table, 40 each | 0.. | section | 0.. | section | ... | section
 *                                              ^ each at a multiple of 64, in the table's order
 *
 * A section is named by its kind and its layer. Which sections there are, and how many bytes each has, follows from the
 * section MODEL alone (but for texts and tokenizer), so a file has one right table and any other is refused. */
#ifndef MINNOW_RUN_MODEL_FORMAT_H
#define MINNOW_RUN_MODEL_FORMAT_H

#include "base/arena.h"
#include "run/model/model.h"

#define FORMAT_MAGIC "\x89MNW\r\n\x1a\n" /* 8 bytes; a transfer as text breaks it */
#define FORMAT_VERSION 1u
#define FORMAT_HEADER_BYTES 64u
#define FORMAT_ENTRY_BYTES 40u
#define FORMAT_ALIGNMENT 64u
#define FORMAT_MODEL_BYTES 96u
#define FORMAT_ARCHITECTURE_BERT 1u

/* Where things stand in the header ... */
enum {
    HEADER_VERSION = 8,   /* u32 */
    HEADER_SECTIONS = 12, /* u32 */
    HEADER_BYTES = 16,    /* u64 */
    HEADER_TABLE_CRC = 24,/* u32 */
    HEADER_ZEROS = 28,
    HEADER_CRC = 60       /* u32, of the 60 bytes before */
};
/* ... in an entry of the section table ... */
enum {
    ENTRY_KIND = 0,     /* u32 */
    ENTRY_LAYER = 4,    /* u32 */
    ENTRY_ENCODING = 8, /* u32 */
    ENTRY_CRC = 12,     /* u32, of the stored bytes */
    ENTRY_OFFSET = 16,  /* u64 */
    ENTRY_STORED = 24,  /* u64 */
    ENTRY_DECODED = 32  /* u64 */
};
/* ... and in the section MODEL; u32 but where noted. */
enum {
    MODEL_ARCHITECTURE = 0,
    MODEL_LAYERS = 4,
    MODEL_HIDDEN = 8,
    MODEL_HEADS = 12,
    MODEL_INTERMEDIATE = 16,
    MODEL_VOCAB = 20,
    MODEL_POSITIONS = 24,
    MODEL_ACTIVATION = 28,
    MODEL_EPSILON = 32, /* f32 */
    MODEL_POOLING = 36,
    MODEL_NORMALIZE = 40,
    MODEL_MAX_TOKENS = 44,
    MODEL_WORDS = 48,     /* int8_table_kind */
    MODEL_OUTLIERS = 52,
    MODEL_PLACES = 56,    /* int8_table_kind of the position table */
    MODEL_NORM_INPUTS = 60,
    MODEL_SHA256 = 64     /* 32 bytes */
};
/* Bits of MODEL_NORM_INPUTS: these norms round their input. */
enum { NORM_INPUT_EMBEDDING = 1, NORM_INPUT_ATTENTION = 2, NORM_INPUT_OUTPUT = 4, NORM_INPUT_ALL = 7 };

/* In the file's order: those of the whole model (SECTION_NO_LAYER), then those of layers 0, 1, ... */
#define SECTION_NO_LAYER UINT32_MAX
typedef enum section_kind {
    SECTION_MODEL = 1,
    SECTION_TEXTS = 2,
    SECTION_TOKENIZER = 3,
    SECTION_WORD_CODES = 4,
    SECTION_WORD_SCALES = 5,
    SECTION_WORD_OUTLIERS = 6,
    SECTION_WORD_HALVES = 7,
    SECTION_POSITION_CODES = 8,
    SECTION_POSITION_SCALES = 9,
    SECTION_POSITION_HALVES = 10,
    SECTION_EMBEDDING_NORM = 11,
    SECTION_EMBEDDING_NORM_INPUT = 12,

    SECTION_ATTENTION_INPUT = 32,
    SECTION_QUERY_KEY_VALUE = 33,
    SECTION_QUERY_KEY_VALUE_SCALES = 34,
    SECTION_SCORE_SCALE = 35,
    SECTION_CONTEXT = 36,
    SECTION_ATTENTION_OUTPUT = 37,
    SECTION_ATTENTION_OUTPUT_SCALES = 38,
    SECTION_ATTENTION_NORM = 39,
    SECTION_ATTENTION_NORM_INPUT = 40,
    SECTION_UP_INPUT = 41,
    SECTION_UP = 42,
    SECTION_UP_SCALES = 43,
    SECTION_DOWN_INPUT = 44,
    SECTION_DOWN = 45,
    SECTION_DOWN_SCALES = 46,
    SECTION_OUTPUT_NORM = 47,
    SECTION_OUTPUT_NORM_INPUT = 48
} section_kind;

enum { ENCODING_PLAIN = 0 };

/* The tokenizer's section; u32 each, then the arrays that docs/FORMAT.md lists. */
enum {
    TOKENIZER_N_VOCAB = 0,
    TOKENIZER_VOCAB_BYTES = 4,
    TOKENIZER_FLAGS = 8,
    TOKENIZER_UNKNOWN = 12,
    TOKENIZER_MAX_CHARS = 16,
    TOKENIZER_N_ADDED = 20,
    TOKENIZER_ADDED_BYTES = 24,
    TOKENIZER_N_PREFIX = 28,
    TOKENIZER_N_SUFFIX = 32,
    TOKENIZER_CONTINUING_BYTES = 36,
    TOKENIZER_ARRAYS = 40
};
enum {
    TOKENIZER_CLEAN_TEXT = 1,
    TOKENIZER_CHINESE_CHARS = 2,
    TOKENIZER_STRIP_ACCENTS = 4,
    TOKENIZER_LOWERCASE = 8,
    TOKENIZER_HAS_IDS = 16,    /* token i's id is not i for every i */
    TOKENIZER_WIDE = 32,       /* a token has more than 255 bytes */
    TOKENIZER_ALL_FLAGS = 63
};
#define TOKENIZER_ADDED_ENTRY_BYTES 8u /* u32 id, u16 bytes, u16 flags */
enum {
    ADDED_SPECIAL = 1,
    ADDED_SINGLE_WORD = 2,
    ADDED_LSTRIP = 4,
    ADDED_RSTRIP = 8,
    ADDED_NORMALIZED = 16,
    ADDED_ALL = 31
};

/* "up_scales"; NULL for a number that is no kind. */
const char *section_kind_name(uint32_t kind);
const char *section_encoding_name(uint32_t encoding);

/* --- Sections: a file, checked as far as that goes without knowing what they mean --------------------------------- */

typedef struct model_section {
    uint32_t kind, layer, encoding, crc;
    uint64_t decoded_bytes;
    const uint8_t *data; /* stored bytes, in the file */
    size_t bytes;
} model_section;

typedef struct model_sections {
    uint32_t version, n;
    const uint8_t *data; /* the whole file */
    size_t bytes;
} model_sections;

/* Checks header, table, order, places, padding and, unless `verified` is 1, every section's CRC32C. `data` is borrowed
 * and may lie at any address. */
minnow_status model_sections_read(model_sections *out, const uint8_t *data, size_t bytes, int verified,
                                  minnow_error *error);
/* Section i, i < n. */
model_section model_sections_at(const model_sections *s, size_t i);

/* Sums of a file that is still coming in, so that summing and waiting go on at the same time. Begun with zeroes; add is
 * told how much of the file at `data` is there, from its first byte on. What is there does not change any more. Nothing
 * of the table is believed but where sections lie: model_sections_read looks at everything else. */
typedef struct model_sums {
    size_t at;        /* where the next byte that is summed lies */
    uint64_t done;    /* bytes of its section before it */
    uint32_t section; /* the sections before this one have their CRC32C */
    uint32_t crc;     /* of what is done of it */
    int wrong;        /* one has not */
} model_sums;

void model_sums_add(model_sums *s, const uint8_t *data, size_t available);
/* 1: every section of the whole file has been summed and has the CRC32C that the table says: model_sections_read may be
 * told that it is verified. 0: it has to look itself, and names what is wrong. */
int model_sums_right(const model_sums *s, const uint8_t *data, size_t bytes);

/* --- What a model's sections are ---------------------------------------------------------------------------------- */

/* Walks through all arrays of a model, in the file's order. For each section: begin(kind, layer), then part() for each
 * array in it, which gives what becomes of the pointer (a reader's is new, a writer's the one that is there). Shapes
 * and kinds of m must be set. Sections of no bytes are left out. */
typedef struct model_walk {
    minnow_status (*begin)(struct model_walk *w, section_kind kind, uint32_t layer, size_t bytes, minnow_error *error);
    const void *(*part)(struct model_walk *w, const void *old, size_t bytes);
} model_walk;

/* `norm_inputs`: bits as above. `layers` [m->n_layers] are those of m, writable. */
minnow_status model_walk_arrays(model_walk *w, int8_model *m, int8_layer *layers, unsigned norm_inputs,
                                minnow_error *error);

/* --- Small sections ----------------------------------------------------------------------------------------------- */

/* Bounds that keep every sum of codes in int32 and every size of weights in 32 bits: 128 * 127 * 65536 < 2^31,
 * 3 * 16384^2 < 2^32. */
#define MODEL_MAX_LAYERS 4096u
#define MODEL_MAX_WIDTH 16384u
#define MODEL_MAX_VOCAB (1u << 24)
#define MODEL_MAX_POSITIONS 65536u
/* Largest gamma and beta of a norm: what they multiply is at most sqrt(hidden), so that no token vector is infinite. */
#define MODEL_MAX_NORM 1e15f

/* Shapes and settings; sets the shapes of m's tables too. Refuses what the engine cannot do. */
minnow_status model_head_read(int8_model *m, unsigned *norm_inputs, const uint8_t *data, size_t bytes,
                              minnow_error *error);
/* The same checks for a model that is about to be written. */
minnow_status model_head_check(const int8_model *m, minnow_error *error);
minnow_status model_texts_read(int8_model *m, const uint8_t *data, size_t bytes, minnow_error *error);

/* The tokenizer's section -> its settings, which point into `data` and `memory`. tokenizer_create checks the rest. */
minnow_status tokenizer_data_read(tokenizer_config *out, arena *memory, const uint8_t *data, size_t bytes,
                                  minnow_error *error);

/* Every array's numbers: finite, in range, padded as model.h says. */
minnow_status model_arrays_check(const int8_model *m, minnow_error *error);

#endif
