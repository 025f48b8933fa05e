/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of a .minnow file -> its sections. After this every byte has been checked: header and table by their CRC32C,
 * each section by its own (unless the caller has checked the whole), and what lies between by being zero. */
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "run/model/format.h"

int int8_model_is(const uint8_t *data, size_t bytes) { return bytes >= 8 && memcmp(data, FORMAT_MAGIC, 8) == 0; }

const char *section_kind_name(uint32_t kind) {
    switch (kind) {
    case SECTION_MODEL: return "model";
    case SECTION_TEXTS: return "texts";
    case SECTION_TOKENIZER: return "tokenizer";
    case SECTION_WORD_CODES: return "word_codes";
    case SECTION_WORD_SCALES: return "word_scales";
    case SECTION_WORD_OUTLIERS: return "word_outliers";
    case SECTION_WORD_HALVES: return "word_halves";
    case SECTION_POSITION_CODES: return "position_codes";
    case SECTION_POSITION_SCALES: return "position_scales";
    case SECTION_POSITION_HALVES: return "position_halves";
    case SECTION_EMBEDDING_NORM: return "embedding_norm";
    case SECTION_EMBEDDING_NORM_INPUT: return "embedding_norm_input";
    case SECTION_ATTENTION_INPUT: return "attention_input";
    case SECTION_QUERY_KEY_VALUE: return "query_key_value";
    case SECTION_QUERY_KEY_VALUE_SCALES: return "query_key_value_scales";
    case SECTION_SCORE_SCALE: return "score_scale";
    case SECTION_CONTEXT: return "context";
    case SECTION_ATTENTION_OUTPUT: return "attention_output";
    case SECTION_ATTENTION_OUTPUT_SCALES: return "attention_output_scales";
    case SECTION_ATTENTION_NORM: return "attention_norm";
    case SECTION_ATTENTION_NORM_INPUT: return "attention_norm_input";
    case SECTION_UP_INPUT: return "up_input";
    case SECTION_UP: return "up";
    case SECTION_UP_SCALES: return "up_scales";
    case SECTION_DOWN_INPUT: return "down_input";
    case SECTION_DOWN: return "down";
    case SECTION_DOWN_SCALES: return "down_scales";
    case SECTION_OUTPUT_NORM: return "output_norm";
    case SECTION_OUTPUT_NORM_INPUT: return "output_norm_input";
    default: return NULL;
    }
}

const char *section_encoding_name(uint32_t encoding) { return encoding == ENCODING_PLAIN ? "plain" : NULL; }

/* --- The header --------------------------------------------------------------------------------------------------- */

static int all_zero(const uint8_t *p, size_t bytes) {
    uint8_t any = 0;
    for (size_t i = 0; i < bytes; i++) any |= p[i];
    return any == 0;
}

static minnow_status read_header(model_sections *out, const uint8_t *data, size_t bytes, minnow_error *error) {
    if (!int8_model_is(data, bytes)) return error_set(error, MINNOW_ERROR_FORMAT, "not a .minnow file");
    if (bytes < FORMAT_HEADER_BYTES) return error_set(error, MINNOW_ERROR_FORMAT, "cut off inside the header");
    /* The version comes first: another one may place everything else, its CRC too, where it likes. */
    out->version = load_u32(data + HEADER_VERSION);
    if (out->version != FORMAT_VERSION)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "format version %u (this program reads %u)", out->version,
                         FORMAT_VERSION);
    if (crc32c(0, data, HEADER_CRC) != load_u32(data + HEADER_CRC))
        return error_set(error, MINNOW_ERROR_FORMAT, "the header's CRC32C is wrong");
    if (!all_zero(data + HEADER_ZEROS, HEADER_CRC - HEADER_ZEROS))
        return error_set(error, MINNOW_ERROR_FORMAT, "the header's last bytes are not zero");
    if (load_u64(data + HEADER_BYTES) != bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "the file has %zu bytes, its header says %llu", bytes,
                         (unsigned long long)load_u64(data + HEADER_BYTES));
    out->n = load_u32(data + HEADER_SECTIONS);
    if (out->n == 0 || out->n > (bytes - FORMAT_HEADER_BYTES) / FORMAT_ENTRY_BYTES)
        return error_set(error, MINNOW_ERROR_FORMAT, "%u sections in %zu bytes", out->n, bytes);
    if (crc32c(0, data + FORMAT_HEADER_BYTES, out->n * (size_t)FORMAT_ENTRY_BYTES) != load_u32(data + HEADER_TABLE_CRC))
        return error_set(error, MINNOW_ERROR_FORMAT, "the section table's CRC32C is wrong");
    return MINNOW_OK;
}

/* --- The table ---------------------------------------------------------------------------------------------------- */

static const uint8_t *entry_at(const model_sections *s, size_t i) {
    return s->data + FORMAT_HEADER_BYTES + i * FORMAT_ENTRY_BYTES;
}

model_section model_sections_at(const model_sections *s, size_t i) {
    const uint8_t *e = entry_at(s, i);
    model_section section;
    section.kind = load_u32(e + ENTRY_KIND);
    section.layer = load_u32(e + ENTRY_LAYER);
    section.encoding = load_u32(e + ENTRY_ENCODING);
    section.crc = load_u32(e + ENTRY_CRC);
    section.decoded_bytes = load_u64(e + ENTRY_DECODED);
    section.data = s->data + (size_t)load_u64(e + ENTRY_OFFSET);
    section.bytes = (size_t)load_u64(e + ENTRY_STORED);
    return section;
}

/* Kind, layer and encoding: known ones, each section once, in order. */
static minnow_status check_name(const model_sections *s, size_t i, minnow_error *error) {
    const uint8_t *e = entry_at(s, i);
    const uint32_t kind = load_u32(e + ENTRY_KIND), layer = load_u32(e + ENTRY_LAYER);
    if (section_kind_name(kind) == NULL) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "unknown kind %u", kind);
    if (section_encoding_name(load_u32(e + ENTRY_ENCODING)) == NULL)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "unknown encoding %u", load_u32(e + ENTRY_ENCODING));
    if ((kind < SECTION_ATTENTION_INPUT) != (layer == SECTION_NO_LAYER))
        return error_set(error, MINNOW_ERROR_FORMAT, "'%s' does not go with layer %u", section_kind_name(kind), layer);
    if (i > 0) {
        const uint32_t last_kind = load_u32(entry_at(s, i - 1) + ENTRY_KIND);
        const uint32_t last_layer = load_u32(entry_at(s, i - 1) + ENTRY_LAYER);
        if (layer == last_layer && kind == last_kind)
            return error_set(error, MINNOW_ERROR_FORMAT, "'%s' is there twice", section_kind_name(kind));
        if (layer + 1u < last_layer + 1u || (layer == last_layer && kind < last_kind)) /* no layer: + 1 is 0 */
            return error_set(error, MINNOW_ERROR_FORMAT, "'%s' is out of order", section_kind_name(kind));
    }
    return MINNOW_OK;
}

/* Place and contents. *end is where the section before ends, and becomes where this one does: at most s->bytes. */
static minnow_status check_bytes(const model_sections *s, size_t i, int verified, uint64_t *end, minnow_error *error) {
    const uint8_t *e = entry_at(s, i);
    const uint64_t offset = load_u64(e + ENTRY_OFFSET), stored = load_u64(e + ENTRY_STORED);
    const uint64_t expected = (*end + FORMAT_ALIGNMENT - 1) / FORMAT_ALIGNMENT * FORMAT_ALIGNMENT;
    if (offset != expected)
        return error_set(error, MINNOW_ERROR_FORMAT, "begins at byte %llu, not %llu", (unsigned long long)offset,
                         (unsigned long long)expected);
    if (stored == 0) return error_set(error, MINNOW_ERROR_FORMAT, "is empty");
    if (offset > s->bytes || stored > s->bytes - offset)
        return error_set(error, MINNOW_ERROR_FORMAT, "%llu bytes from byte %llu on, in a file of %zu",
                         (unsigned long long)stored, (unsigned long long)offset, s->bytes);
    if (load_u64(e + ENTRY_DECODED) != stored) /* of encoding plain, the only one */
        return error_set(error, MINNOW_ERROR_FORMAT, "%llu bytes stored plainly become %llu",
                         (unsigned long long)stored, (unsigned long long)load_u64(e + ENTRY_DECODED));
    if (!all_zero(s->data + *end, (size_t)(offset - *end)))
        return error_set(error, MINNOW_ERROR_FORMAT, "the padding before it is not zero");
    if (!verified && crc32c(0, s->data + offset, (size_t)stored) != load_u32(e + ENTRY_CRC))
        return error_set(error, MINNOW_ERROR_FORMAT, "its CRC32C is wrong");
    *end = offset + stored;
    return MINNOW_OK;
}

static minnow_status name_section(const model_sections *s, size_t i, minnow_status status, minnow_error *error) {
    const uint32_t kind = load_u32(entry_at(s, i) + ENTRY_KIND), layer = load_u32(entry_at(s, i) + ENTRY_LAYER);
    const char *name = section_kind_name(kind);
    if (layer == SECTION_NO_LAYER) return error_prefix(error, status, "section %zu (%s)", i, name != NULL ? name : "?");
    return error_prefix(error, status, "section %zu (layer %u %s)", i, layer, name != NULL ? name : "?");
}

minnow_status model_sections_read(model_sections *out, const uint8_t *data, size_t bytes, int verified,
                                  minnow_error *error) {
    uint64_t end;
    memset(out, 0, sizeof *out);
    TRY(read_header(out, data, bytes, error));
    out->data = data;
    out->bytes = bytes;
    end = FORMAT_HEADER_BYTES + (uint64_t)out->n * FORMAT_ENTRY_BYTES;
    for (size_t i = 0; i < out->n; i++) {
        minnow_status status = check_name(out, i, error);
        if (status == MINNOW_OK) status = check_bytes(out, i, verified, &end, error);
        if (status != MINNOW_OK) return name_section(out, i, status, error);
    }
    if (end != bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "%llu bytes follow the last section",
                         (unsigned long long)(bytes - end));
    return MINNOW_OK;
}
