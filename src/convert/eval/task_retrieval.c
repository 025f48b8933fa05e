/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus.jsonl, queries.jsonl, qrels.tsv -> documents, and the queries that have a relevant document.
 *
 * As BEIR does it: a document's text is title + " " + text; a judgement of a document that the corpus lacks counts as
 * one that no search finds; a query without relevant documents is left out. A query that queries.jsonl lacks is an
 * error. */
#include <stdlib.h>
#include <string.h>

#include "convert/eval/task_read.h"

typedef struct collection {
    eval_strings ids;
    eval_text *texts; /* [ids.count] */
} collection;

static minnow_status join_title(arena *memory, eval_text title, eval_text *text, minnow_error *error) {
    char *joined;
    if (title.bytes == 0) return MINNOW_OK;
    joined = arena_alloc(memory, title.bytes + 1 + text->bytes);
    if (joined == NULL) return eval_out_of_memory(error);
    memcpy(joined, title.data, title.bytes);
    joined[title.bytes] = ' ';
    if (text->bytes > 0) memcpy(joined + title.bytes + 1, text->data, text->bytes);
    text->data = joined;
    text->bytes += title.bytes + 1;
    return MINNOW_OK;
}

static minnow_status read_entry(collection *c, arena *memory, const eval_lines *lines, yyjson_doc *doc, int with_title,
                                minnow_error *error) {
    eval_text id, text, title = {"", 0};
    uint32_t number;
    int is_new;
    TRY(eval_lines_member(lines, doc, "_id", 0, &id, error));
    TRY(eval_lines_member(lines, doc, "text", 0, &text, error));
    if (with_title) TRY(eval_lines_member(lines, doc, "title", 1, &title, error));
    number = eval_strings_add(&c->ids, id, &is_new);
    if (number == EVAL_NO_STRING) return eval_out_of_memory(error);
    if (!is_new)
        return eval_lines_fail(lines, error, "the _id '%.*s' is there already", id.bytes < 80 ? (int)id.bytes : 80,
                               id.data);
    TRY(join_title(memory, title, &text, error));
    c->texts[number].data = arena_string(memory, text.data, text.bytes);
    c->texts[number].bytes = text.bytes;
    return c->texts[number].data != NULL ? MINNOW_OK : eval_out_of_memory(error);
}

static minnow_status read_collection(collection *c, arena *memory, const eval_file *f, int with_title,
                                     minnow_error *error) {
    eval_lines lines = eval_lines_begin(f);
    eval_text line;
    const size_t capacity = eval_file_lines(f);
    c->texts = arena_array(memory, capacity, sizeof *c->texts);
    if (c->texts == NULL || !eval_strings_init(&c->ids, memory, capacity)) return eval_out_of_memory(error);
    while (eval_lines_next(&lines, &line)) {
        yyjson_doc *doc;
        minnow_status status;
        TRY(eval_lines_object(&lines, line, &doc, error));
        status = read_entry(c, memory, &lines, doc, with_title, error);
        yyjson_doc_free(doc);
        TRY(status);
    }
    return c->ids.count > 0 ? MINNOW_OK : error_set(error, MINNOW_ERROR_FORMAT, "%s: empty", f->name);
}

/* --- Judgements ---------------------------------------------------------------------------------------------- */

typedef struct row {
    uint32_t query;
    eval_text document_id;
    uint32_t document;
    double grade;
    size_t line;
} row;

static int compare_text(eval_text a, eval_text b) {
    const size_t n = a.bytes < b.bytes ? a.bytes : b.bytes;
    const int order = n > 0 ? memcmp(a.data, b.data, n) : 0;
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static int compare_rows(const void *a, const void *b) {
    const row *x = a, *y = b;
    int order;
    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    order = compare_text(x->document_id, y->document_id);
    if (order != 0) return order;
    return (x->line > y->line) - (x->line < y->line);
}

static minnow_status read_row(row *r, const eval_lines *lines, eval_text line, const collection *corpus,
                              const collection *queries, int *is_header, minnow_error *error) {
    eval_text columns[3];
    *is_header = 0;
    TRY(eval_lines_split(lines, line, columns, 3, "query-id, corpus-id, score", error));
    if (!eval_parse_number(columns[2], &r->grade)) {
        *is_header = lines->number == 1;
        if (*is_header) return MINNOW_OK;
        return eval_lines_fail(lines, error, "the score '%.*s' is not a number",
                               columns[2].bytes < 40 ? (int)columns[2].bytes : 40, columns[2].data);
    }
    r->query = eval_strings_find(&queries->ids, columns[0]);
    if (r->query == EVAL_NO_STRING)
        return eval_lines_fail(lines, error, "no query has the _id '%.*s'",
                               columns[0].bytes < 80 ? (int)columns[0].bytes : 80, columns[0].data);
    r->document_id = columns[1];
    r->document = eval_strings_find(&corpus->ids, columns[1]);
    r->line = lines->number;
    return MINNOW_OK;
}

static minnow_status read_rows(row *rows, size_t *n, const eval_file *f, const collection *corpus,
                               const collection *queries, minnow_error *error) {
    eval_lines lines = eval_lines_begin(f);
    eval_text line;
    int is_header;
    *n = 0;
    while (eval_lines_next(&lines, &line)) {
        TRY(read_row(&rows[*n], &lines, line, corpus, queries, &is_header, error));
        *n += !is_header;
    }
    return *n > 0 ? MINNOW_OK : error_set(error, MINNOW_ERROR_FORMAT, "%s: empty", f->name);
}

/* Drops what is said twice; two grades of one document are an error. Rows are sorted. */
static minnow_status unite_rows(row *rows, size_t *n, const eval_file *f, minnow_error *error) {
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        const row *last = kept > 0 ? &rows[kept - 1] : NULL;
        if (last == NULL || last->query != rows[i].query || compare_text(last->document_id, rows[i].document_id) != 0) {
            rows[kept++] = rows[i];
        } else if (last->grade != rows[i].grade) {
            return error_set(error, MINNOW_ERROR_FORMAT, "%s: line %zu: line %zu gives this document another score",
                             f->name, rows[i].line, last->line);
        }
    }
    *n = kept;
    return MINNOW_OK;
}

/* Queries in their file's order, each with its relevant documents; sets query.text to the query's number for now. */
static minnow_status gather_queries(eval_task *t, const row *rows, size_t n, minnow_error *error) {
    eval_judgement *judgements = arena_array(&t->memory, n, sizeof *judgements);
    size_t used = 0, i = 0;
    t->queries = arena_array(&t->memory, n, sizeof *t->queries);
    if (judgements == NULL || t->queries == NULL) return eval_out_of_memory(error);
    while (i < n) {
        eval_query *q = &t->queries[t->n_queries];
        q->text = rows[i].query;
        q->judgements = judgements + used;
        for (q->n_judgements = 0; i < n && rows[i].query == q->text; i++) {
            if (!(rows[i].grade > 0)) continue;
            judgements[used++] = (eval_judgement){rows[i].document, rows[i].grade};
            t->n_missing += rows[i].document == EVAL_NO_STRING;
            q->n_judgements++;
        }
        t->n_queries += q->n_judgements > 0;
    }
    return MINNOW_OK;
}

static minnow_status read_judgements(eval_task *t, const eval_file *f, const collection *corpus,
                                     const collection *queries, minnow_error *error) {
    row *rows = calloc(eval_file_lines(f) + 1, sizeof *rows);
    minnow_status status = MINNOW_OK;
    size_t n;
    if (rows == NULL) return eval_out_of_memory(error);
    TRY_GOTO(read_rows(rows, &n, f, corpus, queries, error));
    qsort(rows, n, sizeof *rows, compare_rows);
    TRY_GOTO(unite_rows(rows, &n, f, error));
    TRY_GOTO(gather_queries(t, rows, n, error));
    if (t->n_queries == 0)
        status = error_set(error, MINNOW_ERROR_FORMAT, "%s: no document is relevant to any query", f->name);
fail:
    free(rows);
    return status;
}

minnow_status eval_read_retrieval(eval_task *t, eval_strings *texts, const eval_file *files, minnow_error *error) {
    collection corpus, queries;
    size_t i;
    TRY(read_collection(&corpus, &t->memory, &files[0], 1, error));
    TRY(read_collection(&queries, &t->memory, &files[1], 0, error));
    TRY(read_judgements(t, &files[2], &corpus, &queries, error));
    t->n_documents = corpus.ids.count;
    t->documents = arena_array(&t->memory, t->n_documents, sizeof *t->documents);
    if (t->documents == NULL) return eval_out_of_memory(error);
    for (i = 0; i < t->n_documents; i++) {
        t->documents[i] = eval_strings_add(texts, corpus.texts[i], NULL);
        if (t->documents[i] == EVAL_NO_STRING) return eval_out_of_memory(error);
    }
    for (i = 0; i < t->n_queries; i++) {
        t->queries[i].text = eval_strings_add(texts, queries.texts[t->queries[i].text], NULL);
        if (t->queries[i].text == EVAL_NO_STRING) return eval_out_of_memory(error);
    }
    return MINNOW_OK;
}
