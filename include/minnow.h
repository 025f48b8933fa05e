/* SPDX-License-Identifier: Apache-2.0
 *
 * minnow.h - sentence embeddings that run anywhere: the whole public C API.
 *
 *     #include <minnow.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         minnow_model *model = NULL;
 *         minnow_context *context = NULL;
 *         minnow_error error;
 *         float a[384], b[384];
 *         if (minnow_model_open(&model, "models/all-MiniLM-L6-v2", &error) ||
 *             minnow_context_create(&context, model, NULL, &error) ||
 *             minnow_encode(context, "How do I reset my password?", MINNOW_STRLEN, a, 384, NULL, &error) ||
 *             minnow_encode(context, "I forgot my login.", MINNOW_STRLEN, b, 384, NULL, &error))
 *             fprintf(stderr, "%s\n", error.message);
 *         else
 *             printf("%.4f\n", minnow_similarity(a, b, 384));
 *         minnow_context_close(&context);
 *         minnow_model_close(&model);
 *     }
 *
 * Ownership. A model is read-only once open: any number of threads may share it. A context holds the working
 * memory of one caller: one thread at a time. Close functions take the address of the handle and set it to NULL;
 * closing NULL does nothing. A model must outlive its contexts.
 *
 * Errors. Every function that can fail returns a minnow_status, MINNOW_OK being 0, and describes the failure in
 * the caller's minnow_error where one is given (NULL is allowed). The library never prints, never exits and never
 * reads the environment. On failure outputs are left as they were unless their description says otherwise.
 *
 * Text is UTF-8, given as pointer and length. NULs are ordinary characters. Invalid sequences are replaced by
 * U+FFFD, one for each maximal ill-formed subpart (Unicode 15.0, section 3.9), and then tokenized.
 */
#ifndef MINNOW_H
#define MINNOW_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MINNOW_VERSION_MAJOR 0
#define MINNOW_VERSION_MINOR 1
#define MINNOW_VERSION_PATCH 0
#define MINNOW_VERSION_STRING "0.1.0"

#if defined(_WIN32)
#define MINNOW_API
#elif defined(__GNUC__)
#define MINNOW_API __attribute__((visibility("default")))
#else
#define MINNOW_API
#endif

/* What went wrong. The numbers are part of the ABI; the CLI's exit codes are derived from them. */
typedef enum minnow_status {
    MINNOW_OK = 0,
    MINNOW_ERROR_ARGUMENT = 1,    /* the caller's arguments are wrong */
    MINNOW_ERROR_IO = 2,          /* the operating system refused: no such file, disk full, closed pipe */
    MINNOW_ERROR_FORMAT = 3,      /* a file or text is not what it claims to be */
    MINNOW_ERROR_UNSUPPORTED = 4, /* well-formed, but something this library does not do; the message names it */
    MINNOW_ERROR_MEMORY = 5,      /* out of memory, or over a stated limit */
    MINNOW_ERROR_CAPACITY = 6,    /* the caller's buffer is too small */
    MINNOW_ERROR_CANCELLED = 7    /* a progress callback asked to stop */
} minnow_status;

#define MINNOW_ERROR_MESSAGE_BYTES 512

/* Filled on failure: a single line, no trailing newline, naming file and place
 * ("model.onnx: node 17 'MatMul_4': rank 9 not supported"). Control characters are escaped. */
typedef struct minnow_error {
    minnow_status status;
    char message[MINNOW_ERROR_MESSAGE_BYTES];
} minnow_error;

/* The length that means "up to the terminating NUL". */
#define MINNOW_STRLEN ((size_t)-1)

/* The library's version, "MAJOR.MINOR.PATCH": static storage. */
MINNOW_API const char *minnow_version(void);

/* A status in words ("ok", "invalid argument", ...): static storage, never NULL. */
MINNOW_API const char *minnow_status_text(minnow_status status);

typedef enum minnow_pooling {
    MINNOW_POOLING_DEFAULT = 0, /* what the model's settings say, else mean */
    MINNOW_POOLING_MEAN = 1,    /* the mean of all token vectors, [CLS] and [SEP] included */
    MINNOW_POOLING_CLS = 2,     /* the first token's vector */
    MINNOW_POOLING_MAX = 3      /* the largest value of each dimension */
} minnow_pooling;

/* --- Models ------------------------------------------------------------------------------------------------- */

typedef struct minnow_model minnow_model;

/* Zeroed means defaults. Set `size` to sizeof(minnow_model_options). */
typedef struct minnow_model_options {
    size_t size;
    const char *tokenizer_path; /* tokenizer.json or vocab.txt; NULL: beside the model, or in the parent of onnx/. A
                                 * .minnow file has its own: naming another is MINNOW_ERROR_ARGUMENT */
    int external_data;          /* 1: an ONNX file may keep tensors in other files beneath its folder; 0: refused */
} minnow_model_options;

/* Opens a model:
 *   - a .minnow file, whatever its name: static INT8, complete in itself ('minnow quantize' makes one);
 *   - an ONNX file; tokenizer, pooling and token limit are found beside it, or in the parent of onnx/;
 *   - a folder with onnx/model.onnx, model.onnx, model.safetensors (sentence-transformers layout), model.minnow or
 *     onnx/model_quantized.onnx: the first of these that is there, so that a folder means FP32 as long as it has it.
 * `path` is NUL-terminated and copied. On success *out is a handle to close; on failure NULL. */
MINNOW_API minnow_status minnow_model_open(minnow_model **out, const char *path, minnow_error *error);
MINNOW_API minnow_status minnow_model_open_with(minnow_model **out, const char *path,
                                                const minnow_model_options *options, minnow_error *error);
/* The same from memory that has a .minnow file: `data`, aligned to 64 bytes, is borrowed until the model is closed.
 * `options` may be NULL. */
MINNOW_API minnow_status minnow_model_open_memory(minnow_model **out, const void *data, size_t bytes,
                                                  const minnow_model_options *options, minnow_error *error);
MINNOW_API void minnow_model_close(minnow_model **model);

/* Numbers of one vector: 384 for all-MiniLM-L6-v2. */
MINNOW_API size_t minnow_model_dimensions(const minnow_model *model);
/* Tokens, [CLS] and [SEP] included, beyond which a text is cut unless the caller says otherwise. */
MINNOW_API size_t minnow_model_max_tokens(const minnow_model *model);

/* --- Contexts ----------------------------------------------------------------------------------------------- */

typedef struct minnow_context minnow_context;

/* Where a context's memory comes from. allocate: `alignment` is a power of two; NULL if it cannot. release gets what
 * allocate gave and the same bytes. */
typedef struct minnow_allocator {
    void *(*allocate)(void *user, size_t bytes, size_t alignment);
    void (*release)(void *user, void *memory, size_t bytes);
    void *user;
} minnow_allocator;

/* Zeroed means defaults. Set `size` to sizeof(minnow_context_options). */
typedef struct minnow_context_options {
    size_t size;
    size_t n_threads;       /* 0: one thread for each processor, 16 at most. They share a text's rows, or a batch's
                             * texts; the bytes are the same whatever this says */
    size_t max_tokens;      /* 0: the model's; larger than the model's positions: an error */
    minnow_pooling pooling; /* 0: the model's */
    int no_normalize;       /* 1: leave vectors at their length; 0: scale them to 1, whatever the model */
    /* The rest is for .minnow models; with others it is MINNOW_ERROR_UNSUPPORTED. */
    const char *isa;        /* NULL: the fastest; else a name that minnow_isa gives. The bytes are the same */
    size_t batch_tokens;    /* tokens that minnow_encode_batch lays end to end for each thread; 0: 256, or max_tokens if
                             * that is more, which is also the least there can be */
    void *memory;           /* the context's memory, at least minnow_context_bytes, aligned to 64 bytes; it stays the
                             * caller's and must outlive the context. NULL: allocated */
    size_t memory_bytes;
    const minnow_allocator *allocator; /* asked once if memory is NULL; copied. NULL: the C library's */
} minnow_context_options;

/* Creates the working memory for encoding with `model`. `options` may be NULL. For a .minnow model this is all the
 * memory there is, sized for max_tokens and batch_tokens, the handle included: encoding allocates nothing. (Threads
 * beyond the caller's come from the operating system, here and not later.) */
MINNOW_API minnow_status minnow_context_create(minnow_context **out, const minnow_model *model,
                                               const minnow_context_options *options, minnow_error *error);
MINNOW_API void minnow_context_close(minnow_context **context);

/* Bytes of memory that a context with these options takes, of a .minnow model; `memory` and `allocator` are not
 * looked at. `options` may be NULL. */
MINNOW_API minnow_status minnow_context_bytes(const minnow_model *model, const minnow_context_options *options,
                                              size_t *bytes, minnow_error *error);
/* The instruction set that the context runs on, as minnow_isa names it: static storage; NULL if the model is no
 * .minnow. */
MINNOW_API const char *minnow_context_isa(const minnow_context *context);

/* Instruction sets of this machine for .minnow models, the best first: index 0, 1, ... until NULL. "scalar" is always
 * the last. x86-64: amx, avx512vnni, avx512, avxvnni, avx2; AArch64: neon-i8mm, neon-dotprod, neon. Static storage. */
MINNOW_API const char *minnow_isa(size_t index);

/* What became of a text. */
typedef struct minnow_encoding {
    size_t n_tokens;  /* tokens that were encoded, [CLS] and [SEP] included */
    int truncated;    /* 1 if the text had more tokens than the limit */
} minnow_encoding;

/* Encodes one text into `vector`, float32 [dimensions]; `capacity` is its length in floats. The same text gives the
 * same bytes on every machine and with any number of threads, whatever floating-point modes (rounding, denormals) the
 * calling thread has set: they are put aside and restored. `encoding` may be NULL.
 *
 * This and the other encoding functions take the context for themselves: called while another thread is inside one of
 * them, they return MINNOW_ERROR_ARGUMENT and do nothing. */
MINNOW_API minnow_status minnow_encode(minnow_context *context, const char *text, size_t text_bytes, float *vector,
                                       size_t capacity, minnow_encoding *encoding, minnow_error *error);

/* The same without pooling: one vector for each token, float32 [n_tokens, dimensions], never normalized.
 * MINNOW_ERROR_CAPACITY if `capacity` floats do not hold them; max_tokens * dimensions always do. */
MINNOW_API minnow_status minnow_encode_tokens(minnow_context *context, const char *text, size_t text_bytes,
                                              float *vectors, size_t capacity, minnow_encoding *encoding,
                                              minnow_error *error);

/* A text: UTF-8, not terminated (or bytes is MINNOW_STRLEN). */
typedef struct minnow_text {
    const char *data;
    size_t bytes;
} minnow_text;

/* Called on the thread that called minnow_encode_batch, now and then and at the end: n_done texts of n_texts are
 * encoded. Not 0: stop. It may not use the context. */
typedef int (*minnow_progress_fn)(void *user, size_t n_done, size_t n_texts);

/* Zeroed means defaults. Set `size` to sizeof(minnow_batch_options). */
typedef struct minnow_batch_options {
    size_t size;
    minnow_progress_fn progress; /* NULL: none */
    void *user;
} minnow_batch_options;

/* Encodes texts [n_texts] into `vectors`, float32 [n_texts, dimensions], in order; `capacity` is their length in
 * floats. Texts are laid end to end, never padded, and dealt to the context's threads: each vector has the bytes that
 * minnow_encode gives. `encodings` [n_texts], `options` and n_done may be NULL. *n_done is how many texts, from the
 * first on, are encoded: n_texts on success, fewer after an error or MINNOW_ERROR_CANCELLED; vectors and encodings
 * behind them are undefined then. */
MINNOW_API minnow_status minnow_encode_batch(minnow_context *context, const minnow_text *texts, size_t n_texts,
                                             float *vectors, size_t capacity, minnow_encoding *encodings,
                                             const minnow_batch_options *options, size_t *n_done, minnow_error *error);

/* Token ids of a text, [CLS] and [SEP] included. `max_tokens` 0 means no limit. *n_ids is the number of ids the text
 * has (after truncation) even when `capacity` is too small: MINNOW_ERROR_CAPACITY, nothing written. */
MINNOW_API minnow_status minnow_tokenize(const minnow_model *model, const char *text, size_t text_bytes,
                                         size_t max_tokens, int32_t *ids, size_t capacity, size_t *n_ids,
                                         int *truncated, minnow_error *error);

/* Cosine of two vectors of n floats, summed in float64; 0 if either has no length. */
MINNOW_API double minnow_similarity(const float *a, const float *b, size_t n);

#ifdef __cplusplus
}
#endif
#endif
