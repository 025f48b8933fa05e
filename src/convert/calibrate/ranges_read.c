/* SPDX-License-Identifier: Apache-2.0
 * ranges.json -> ranges; see ranges_write.c for its form. Every member must be there and fit the others: what is read
 * is used as it stands by quantization. Memory follows the number of sites that the file really holds. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/calibrate/ranges_impl.h"
#include "convert/json/json.h"

#define MAX_LAYERS 256
#define MAX_COUNT ((uint64_t)1 << 48)

/* --- Members -------------------------------------------------------------------------------------------------- */

static minnow_status read_count(yyjson_val *object, const char *key, uint64_t least, uint64_t most, uint64_t *out,
                                minnow_error *error) {
    yyjson_val *value = yyjson_obj_get(object, key);
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) < least || yyjson_get_uint(value) > most)
        return error_set(error, MINNOW_ERROR_FORMAT, "\"%s\" is not a whole number from %llu to %llu", key,
                         (unsigned long long)least, (unsigned long long)most);
    *out = yyjson_get_uint(value);
    return MINNOW_OK;
}

static minnow_status read_size(yyjson_val *object, const char *key, uint64_t least, uint64_t most, size_t *out,
                               minnow_error *error) {
    uint64_t n = 0;
    TRY(read_count(object, key, least, most, &n, error));
    *out = (size_t)n;
    return MINNOW_OK;
}

static minnow_status to_float(yyjson_val *value, const char *key, float *out, minnow_error *error) {
    const double x = yyjson_get_num(value);
    if (!yyjson_is_num(value) || !(x > -1e38 && x < 1e38))
        return error_set(error, MINNOW_ERROR_FORMAT, "\"%s\": not a number below 1e38", key);
    *out = (float)x;
    return MINNOW_OK;
}

static minnow_status read_float(yyjson_val *object, const char *key, float *out, minnow_error *error) {
    return to_float(yyjson_obj_get(object, key), key, out, error);
}

static minnow_status read_floats(yyjson_val *object, const char *key, float *out, size_t n, minnow_error *error) {
    yyjson_val *array = yyjson_obj_get(object, key), *value;
    size_t i, count;
    if (!yyjson_is_arr(array) || yyjson_arr_size(array) != n)
        return error_set(error, MINNOW_ERROR_FORMAT, "\"%s\" is not a list of %zu numbers", key, n);
    yyjson_arr_foreach(array, i, count, value) TRY(to_float(value, key, &out[i], error));
    return MINNOW_OK;
}

static minnow_status read_string(yyjson_val *object, const char *key, const char **out, minnow_error *error) {
    *out = yyjson_get_str(yyjson_obj_get(object, key));
    return *out != NULL ? MINNOW_OK : error_set(error, MINNOW_ERROR_FORMAT, "\"%s\" is not a string", key);
}

/* --- Sites ---------------------------------------------------------------------------------------------------- */

static int is_power_of_two(double width) {
    double x = RANGE_LEAST_WIDTH;
    while (x < width) x *= 2;
    return x == width && width <= RANGE_MOST_WIDTH;
}

static minnow_status read_counts(range_histogram *h, yyjson_val *array, size_t bin, minnow_error *error) {
    yyjson_val *value;
    size_t i, count;
    yyjson_arr_foreach(array, i, count, value) {
        const int64_t n = yyjson_get_sint(value);
        if (!yyjson_is_int(value) || n > (int64_t)MAX_COUNT || n < -RANGE_BINS || n == 0)
            return error_set(error, MINNOW_ERROR_FORMAT, "\"counts\": item %zu is no count", i);
        if ((n < 0 ? (size_t)-n : 1) > RANGE_BINS - bin)
            return error_set(error, MINNOW_ERROR_FORMAT, "\"counts\" go on beyond the last bin");
        if (n > 0) {
            h->counts[bin] = (uint64_t)n;
            h->total += (uint64_t)n;
        }
        bin += n < 0 ? (size_t)-n : 1;
    }
    return MINNOW_OK;
}

static minnow_status read_histogram(range_histogram *h, yyjson_val *object, uint64_t total, minnow_error *error) {
    yyjson_val *const width = yyjson_obj_get(object, "width"), *const first = yyjson_obj_get(object, "first");
    yyjson_val *const counts = yyjson_obj_get(object, "counts");
    if (!yyjson_is_num(width) || !is_power_of_two(yyjson_get_num(width)))
        return error_set(error, MINNOW_ERROR_FORMAT, "\"histogram\": \"width\" is no power of two");
    if (!yyjson_is_int(first) || yyjson_get_sint(first) < RANGE_FIRST_BIN || yyjson_get_sint(first) > -RANGE_FIRST_BIN)
        return error_set(error, MINNOW_ERROR_FORMAT, "\"histogram\": \"first\" is no bin");
    if (!yyjson_is_arr(counts)) return error_set(error, MINNOW_ERROR_FORMAT, "\"histogram\" has no \"counts\"");
    range_histogram_clear(h, yyjson_get_num(width));
    TRY(read_counts(h, counts, (size_t)(yyjson_get_sint(first) - RANGE_FIRST_BIN), error));
    if (h->total != total)
        return error_set(error, MINNOW_ERROR_FORMAT, "\"counts\" add up to %llu, tokens times channels are %llu",
                         (unsigned long long)h->total, (unsigned long long)total);
    return MINNOW_OK;
}

static minnow_status check_channels(const range_site *site, minnow_error *error) {
    for (size_t j = 0; j < site->channels; j++) {
        if (!(site->minimum[j] <= site->maximum[j]))
            return error_set(error, MINNOW_ERROR_FORMAT, "channel %zu: minimum %g is above maximum %g", j,
                             (double)site->minimum[j], (double)site->maximum[j]);
        if (!(site->s[j] > 0)) return error_set(error, MINNOW_ERROR_FORMAT, "channel %zu: s is not above 0", j);
    }
    return MINNOW_OK;
}

static minnow_status check_range(const range_site *site, minnow_error *error) {
    if (!(site->low < site->high))
        return error_set(error, MINNOW_ERROR_FORMAT, "low %g is not below high %g", (double)site->low,
                         (double)site->high);
    if (site->symmetric && site->low != -site->high)
        return error_set(error, MINNOW_ERROR_FORMAT, "low %g and high %g of a symmetric site", (double)site->low,
                         (double)site->high);
    if (!(site->low <= 0 && site->high >= 0))
        return error_set(error, MINNOW_ERROR_FORMAT, "0 does not lie from low %g to high %g", (double)site->low,
                         (double)site->high);
    if (!(site->least <= site->most))
        return error_set(error, MINNOW_ERROR_FORMAT, "least %g is above most %g", (double)site->least,
                         (double)site->most);
    return MINNOW_OK;
}

static minnow_status read_site(range_site *site, yyjson_val *object, uint64_t n_tokens, minnow_error *error) {
    const char *name, *method;
    int m;
    TRY(read_string(object, "name", &name, error));
    if (strcmp(name, site->name) != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "'%.64s' stands in its place", name);
    TRY(read_string(object, "method", &method, error));
    m = range_method_from_name(method);
    if (m < 0 || m == RANGE_AUTO) return error_set(error, MINNOW_ERROR_FORMAT, "unknown method '%.64s'", method);
    site->method = (range_method)m;
    TRY(read_float(object, "low", &site->low, error));
    TRY(read_float(object, "high", &site->high, error));
    TRY(read_float(object, "least", &site->least, error));
    TRY(read_float(object, "most", &site->most, error));
    TRY(check_range(site, error));
    TRY(read_floats(object, "minimum", site->minimum, site->channels, error));
    TRY(read_floats(object, "maximum", site->maximum, site->channels, error));
    TRY(read_floats(object, "mean", site->mean, site->channels, error));
    TRY(read_floats(object, "center", site->center, site->channels, error));
    TRY(read_floats(object, "s", site->s, site->channels, error));
    TRY(check_channels(site, error));
    return read_histogram(&site->histogram, yyjson_obj_get(object, "histogram"), n_tokens * site->channels, error);
}

static minnow_status read_norm(const range_norm *norm, size_t hidden, yyjson_val *object, minnow_error *error) {
    TRY(read_floats(object, "minimum", norm->minimum, hidden, error));
    TRY(read_floats(object, "maximum", norm->maximum, hidden, error));
    for (size_t j = 0; j < hidden; j++)
        if (!(norm->minimum[j] <= norm->maximum[j]))
            return error_set(error, MINNOW_ERROR_FORMAT, "channel %zu: minimum is above maximum", j);
    return MINNOW_OK;
}

/* --- The file ------------------------------------------------------------------------------------------------- */

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static minnow_status read_sha256(uint8_t out[32], yyjson_val *root, minnow_error *error) {
    const char *hex;
    size_t i;
    TRY(read_string(root, "weights_sha256", &hex, error));
    for (i = 0; i < 32; i++) {
        const int high = hex_digit(hex[2 * i]), low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);
        if (low < 0) break;
        out[i] = (uint8_t)(16 * high + low);
    }
    if (i == 32 && hex[64] == '\0') return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_FORMAT, "\"weights_sha256\" is not 64 hexadecimal digits");
}

static minnow_status check_format(yyjson_val *root, minnow_error *error) {
    const char *format = yyjson_get_str(yyjson_obj_get(root, "format"));
    yyjson_val *version = yyjson_obj_get(root, "version");
    if (format == NULL || strcmp(format, "minnow-ranges") != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "not a file of ranges (\"format\" is not \"minnow-ranges\")");
    if (!yyjson_is_uint(version) || yyjson_get_uint(version) != 1)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "\"version\" is not 1");
    return MINNOW_OK;
}

/* Sizes, checked against what the file holds before anything of their size is allocated. */
static minnow_status create(ranges **out, yyjson_val *root, size_t bytes, minnow_error *error) {
    yyjson_val *const sites = yyjson_obj_get(root, "sites"), *const norms = yyjson_obj_get(root, "norms");
    size_t layers, hidden, intermediate, heads;
    TRY(read_size(root, "layers", 1, MAX_LAYERS, &layers, error));
    TRY(read_size(root, "hidden", 1, 1 << 20, &hidden, error));
    TRY(read_size(root, "intermediate", 1, 1 << 20, &intermediate, error));
    TRY(read_size(root, "heads", 1, hidden, &heads, error));
    if (hidden % heads != 0) return error_set(error, MINNOW_ERROR_FORMAT, "hidden %zu, heads %zu", hidden, heads);
    if (!yyjson_is_arr(sites) || yyjson_arr_size(sites) != layers * RANGE_ROLES)
        return error_set(error, MINNOW_ERROR_FORMAT, "\"sites\" is not a list of %zu", layers * RANGE_ROLES);
    if (!yyjson_is_arr(norms) || yyjson_arr_size(norms) != 2 * layers + 1)
        return error_set(error, MINNOW_ERROR_FORMAT, "\"norms\" is not a list of %zu", 2 * layers + 1);
    if (layers * (6 * hidden + intermediate) > bytes / 10)
        return error_set(error, MINNOW_ERROR_FORMAT, "%zu channels do not fit in %zu bytes",
                         layers * (6 * hidden + intermediate), bytes);
    return ranges_create(out, layers, hidden, intermediate, heads, error);
}

static minnow_status read_parts(ranges *r, yyjson_val *root, minnow_error *error) {
    yyjson_val *object;
    size_t i, count;
    minnow_status status;
    TRY(read_sha256(r->weights_sha256, root, error));
    TRY(read_float(root, "alpha", &r->alpha, error));
    if (!(r->alpha >= 0 && r->alpha <= 1)) return error_set(error, MINNOW_ERROR_FORMAT, "\"alpha\" is not from 0 to 1");
    TRY(read_size(root, "texts", 1, (uint64_t)1 << 31, &r->n_texts, error));
    TRY(read_size(root, "tokens", r->n_texts, (uint64_t)1 << 31, &r->n_tokens, error));
    TRY(read_size(root, "truncated", 0, r->n_texts, &r->n_truncated, error));
    yyjson_arr_foreach(yyjson_obj_get(root, "sites"), i, count, object) {
        status = read_site(&r->sites[i], object, r->n_tokens, error);
        if (status != MINNOW_OK) return error_prefix(error, status, "%s", r->sites[i].name);
    }
    yyjson_arr_foreach(yyjson_obj_get(root, "norms"), i, count, object) {
        status = read_norm(&r->norms[i], r->hidden, object, error);
        if (status != MINNOW_OK) return error_prefix(error, status, "norm %zu", i);
    }
    return MINNOW_OK;
}

minnow_status ranges_read(ranges **out, const char *json, size_t bytes, minnow_error *error) {
    minnow_status status;
    yyjson_doc *document;
    yyjson_val *root;
    *out = NULL;
    TRY(json_parse(&document, json, bytes, error));
    root = yyjson_doc_get_root(document);
    status = check_format(root, error);
    if (status == MINNOW_OK) status = create(out, root, bytes, error);
    if (status == MINNOW_OK) status = read_parts(*out, root, error);
    yyjson_doc_free(document);
    if (status != MINNOW_OK) ranges_close(out);
    return status;
}

minnow_status ranges_open(ranges **out, const char *path, minnow_error *error) {
    minnow_status status;
    file_map map;
    *out = NULL;
    TRY(file_map_open(&map, path, error));
    status = ranges_read(out, (const char *)map.data, map.bytes, error);
    file_map_close(&map);
    return status == MINNOW_OK ? MINNOW_OK : error_prefix(error, status, "%s", path);
}
