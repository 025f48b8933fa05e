/* SPDX-License-Identifier: Apache-2.0
 * A folder -> a task. */
#include "convert/eval/task.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/eval/task_read.h"

static const struct kind {
    const char *name;
    const char *files[EVAL_MAX_FILES + 1];
} kinds[EVAL_KINDS] = {
    [EVAL_STS] = {"sts", {"test.tsv"}},
    [EVAL_CLASSIFICATION] = {"classification", {"train.tsv", "test.tsv"}},
    [EVAL_RETRIEVAL] = {"retrieval", {"corpus.jsonl", "queries.jsonl", "qrels.tsv"}},
    [EVAL_SENTENCES] = {"sentences", {"sentences.tsv"}},
};

const char *eval_kind_name(eval_kind kind) { return kinds[kind].name; }
const char *const *eval_kind_files(eval_kind kind) { return kinds[kind].files; }

minnow_status eval_out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static minnow_status refuse_empty(const eval_file *f, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_FORMAT, "%s: empty", f->name);
}

/* --- The kinds ----------------------------------------------------------------------------------------------- */

static minnow_status read_sts(eval_task *t, eval_strings *texts, const eval_file *f, minnow_error *error) {
    eval_lines lines = eval_lines_begin(f);
    eval_text line;
    t->pairs = arena_array(&t->memory, eval_file_lines(f), sizeof *t->pairs);
    if (t->pairs == NULL) return eval_out_of_memory(error);
    while (eval_lines_next(&lines, &line)) {
        eval_text columns[3];
        eval_pair *pair = &t->pairs[t->n_pairs];
        TRY(eval_lines_split(&lines, line, columns, 3, "score, a, b", error));
        if (!eval_parse_number(columns[0], &pair->score))
            return eval_lines_fail(&lines, error, "the score '%.*s' is not a number",
                                   columns[0].bytes < 40 ? (int)columns[0].bytes : 40, columns[0].data);
        pair->a = eval_strings_add(texts, columns[1], NULL);
        pair->b = eval_strings_add(texts, columns[2], NULL);
        if (pair->a == EVAL_NO_STRING || pair->b == EVAL_NO_STRING) return eval_out_of_memory(error);
        t->n_pairs++;
    }
    return t->n_pairs > 0 ? MINNOW_OK : refuse_empty(f, error);
}

static minnow_status read_labelled(eval_task *t, eval_strings *texts, eval_strings *labels, const eval_file *f,
                                   eval_labelled **items, size_t *n, minnow_error *error) {
    eval_lines lines = eval_lines_begin(f);
    eval_text line;
    *items = arena_array(&t->memory, eval_file_lines(f), sizeof **items);
    if (*items == NULL) return eval_out_of_memory(error);
    while (eval_lines_next(&lines, &line)) {
        eval_text columns[2];
        eval_labelled *item = &(*items)[*n];
        TRY(eval_lines_split(&lines, line, columns, 2, "label, text", error));
        if (columns[0].bytes == 0) return eval_lines_fail(&lines, error, "the label is empty");
        item->label = eval_strings_add(labels, columns[0], NULL);
        item->text = eval_strings_add(texts, columns[1], NULL);
        if (item->label == EVAL_NO_STRING || item->text == EVAL_NO_STRING) return eval_out_of_memory(error);
        ++*n;
    }
    return *n > 0 ? MINNOW_OK : refuse_empty(f, error);
}

static minnow_status read_classification(eval_task *t, eval_strings *texts, const eval_file *files,
                                         minnow_error *error) {
    eval_strings labels;
    if (!eval_strings_init(&labels, &t->memory, eval_file_lines(&files[0]) + eval_file_lines(&files[1])))
        return eval_out_of_memory(error);
    TRY(read_labelled(t, texts, &labels, &files[0], &t->train, &t->n_train, error));
    t->n_classes = labels.count;
    if (t->n_classes < 2)
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: all lines have the same label", files[0].name);
    if (t->n_classes > EVAL_MAX_CLASSES)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "%s: %zu labels (at most %d are possible): a line is label, tab, text",
                         files[0].name, t->n_classes, EVAL_MAX_CLASSES);
    return read_labelled(t, texts, &labels, &files[1], &t->test, &t->n_test, error);
}

static minnow_status read_sentences(eval_strings *texts, const eval_file *f, minnow_error *error) {
    eval_lines lines = eval_lines_begin(f);
    eval_text line;
    while (eval_lines_next(&lines, &line)) {
        const char *start = line.data + line.bytes;
        while (start > line.data && start[-1] != '\t') start--;
        line.bytes -= (size_t)(start - line.data);
        line.data = start;
        if (line.bytes == 0) return eval_lines_fail(&lines, error, "the last column, the text, is empty");
        if (eval_strings_add(texts, line, NULL) == EVAL_NO_STRING) return eval_out_of_memory(error);
    }
    return texts->count > 0 ? MINNOW_OK : refuse_empty(f, error);
}

static minnow_status read_kind(eval_task *t, const eval_file *files, minnow_error *error) {
    eval_strings texts;
    minnow_status status;
    size_t capacity = 0;
    for (size_t i = 0; kinds[t->kind].files[i] != NULL; i++) capacity += eval_file_lines(&files[i]);
    if (!eval_strings_init(&texts, &t->memory, t->kind == EVAL_STS ? 2 * capacity : capacity))
        return eval_out_of_memory(error);
    switch (t->kind) {
    case EVAL_STS: status = read_sts(t, &texts, files, error); break;
    case EVAL_CLASSIFICATION: status = read_classification(t, &texts, files, error); break;
    case EVAL_RETRIEVAL: status = eval_read_retrieval(t, &texts, files, error); break;
    default: status = read_sentences(&texts, files, error); break;
    }
    t->texts = texts.items;
    t->n_texts = texts.count;
    return status;
}

minnow_status eval_task_read(eval_task **out, const char *name, eval_kind kind, const eval_file *files,
                             minnow_error *error) {
    eval_task *t = calloc(1, sizeof *t);
    minnow_status status = MINNOW_OK;
    *out = NULL;
    if (t == NULL) return eval_out_of_memory(error);
    arena_init(&t->memory, 0);
    t->kind = kind;
    t->name = arena_string(&t->memory, name, strlen(name));
    TRY_GOTO(t->name == NULL ? eval_out_of_memory(error) : MINNOW_OK);
    TRY_GOTO(read_kind(t, files, error));
    *out = t;
    return MINNOW_OK;
fail:
    eval_task_close(&t);
    return status;
}

void eval_task_close(eval_task **task) {
    if (*task == NULL) return;
    arena_free(&(*task)->memory);
    free(*task);
    *task = NULL;
}

/* --- The folder ---------------------------------------------------------------------------------------------- */

static int has_file(const char *folder, const char *name) {
    char *path = path_join(folder, name);
    const int found = path != NULL && file_exists(path);
    free(path);
    return found;
}

int eval_task_is_here(const char *folder) {
    return has_file(folder, "corpus.jsonl") || has_file(folder, "test.tsv") || has_file(folder, "sentences.tsv");
}

/* Columns of the first line of FOLDER/test.tsv. */
static minnow_status count_columns(const char *folder, size_t *n, minnow_error *error) {
    char *path = path_join(folder, "test.tsv");
    file_map map;
    eval_text line = {"", 0};
    eval_lines lines;
    minnow_status status;
    *n = 1;
    if (path == NULL) return eval_out_of_memory(error);
    status = file_map_open(&map, path, error);
    free(path);
    if (status != MINNOW_OK) return status;
    lines = eval_lines_begin(&(eval_file){"", (const char *)map.data, map.bytes});
    if (eval_lines_next(&lines, &line))
        for (size_t i = 0; i < line.bytes; i++) *n += line.data[i] == '\t';
    file_map_close(&map);
    return MINNOW_OK;
}

static minnow_status find_kind(const char *folder, eval_kind *kind, minnow_error *error) {
    size_t columns = 0;
    if (!file_is_directory(folder)) return error_set(error, MINNOW_ERROR_IO, "%s: no such folder", folder);
    if (has_file(folder, "corpus.jsonl")) {
        *kind = EVAL_RETRIEVAL;
    } else if (has_file(folder, "test.tsv")) {
        if (has_file(folder, "train.tsv")) TRY(count_columns(folder, &columns, error));
        *kind = columns == 0 || columns == 3 ? EVAL_STS : EVAL_CLASSIFICATION;
    } else if (has_file(folder, "sentences.tsv")) {
        *kind = EVAL_SENTENCES;
    } else {
        return error_set(error, MINNOW_ERROR_FORMAT,
                         "%s: no task: neither test.tsv (sts; with train.tsv: classification), nor corpus.jsonl "
                         "(retrieval), nor sentences.tsv is there",
                         folder);
    }
    return MINNOW_OK;
}

/* The last part of a path, slashes at its end left out; malloc'd. */
static char *folder_name(const char *folder) {
    size_t n = strlen(folder);
    char *copy = malloc(n + 1), *name;
    if (copy == NULL) return NULL;
    memcpy(copy, folder, n + 1);
    while (n > 1 && *path_name(copy) == '\0') copy[--n] = '\0';
    name = malloc(n + 1);
    if (name != NULL) memcpy(name, path_name(copy), strlen(path_name(copy)) + 1);
    free(copy);
    return name;
}

minnow_status eval_task_open(eval_task **out, const char *folder, minnow_error *error) {
    file_map maps[EVAL_MAX_FILES];
    eval_file files[EVAL_MAX_FILES];
    char *paths[EVAL_MAX_FILES] = {NULL}, *name = folder_name(folder);
    minnow_status status = MINNOW_OK;
    eval_kind kind = EVAL_STS;
    size_t n = 0, i;
    *out = NULL;
    memset(maps, 0, sizeof maps);
    TRY_GOTO(name == NULL ? eval_out_of_memory(error) : MINNOW_OK);
    TRY_GOTO(find_kind(folder, &kind, error));
    for (; kinds[kind].files[n] != NULL; n++) {
        paths[n] = path_join(folder, kinds[kind].files[n]);
        TRY_GOTO(paths[n] == NULL ? eval_out_of_memory(error) : MINNOW_OK);
        TRY_GOTO(file_map_open(&maps[n], paths[n], error));
        files[n] = (eval_file){paths[n], (const char *)maps[n].data, maps[n].bytes};
    }
    status = eval_task_read(out, name, kind, files, error);
fail:
    for (i = 0; i < EVAL_MAX_FILES; i++) {
        if (maps[i].data != NULL) file_map_close(&maps[i]);
        free(paths[i]);
    }
    free(name);
    return status;
}
