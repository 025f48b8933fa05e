/* SPDX-License-Identifier: Apache-2.0
 * The command line's folders -> tasks, all read before anything is encoded: what is malformed shows at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "eval.h"

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static minnow_status add_task(eval_tasks *t, const char *folder, minnow_error *error) {
    if (t->n == t->capacity) {
        const size_t capacity = t->capacity * 2 + 8;
        eval_task **grown = realloc(t->items, capacity * sizeof(eval_task *));
        if (grown == NULL) return out_of_memory(error);
        t->items = grown;
        t->capacity = capacity;
    }
    TRY(eval_task_open(&t->items[t->n], folder, error));
    t->n_texts += t->items[t->n++]->n_texts;
    for (size_t i = 0; i + 1 < t->n; i++)
        if (strcmp(t->items[i]->name, t->items[t->n - 1]->name) == 0)
            return error_set(error, MINNOW_ERROR_ARGUMENT, "%s: there is a task '%s' already", folder,
                             t->items[i]->name);
    return MINNOW_OK;
}

/* --- A folder of tasks --------------------------------------------------------------------------------------- */

typedef struct listing {
    const char *folder;
    char **paths; /* of the tasks in it */
    size_t n, capacity;
    int failed;
} listing;

static void visit(void *context, const char *name) {
    listing *l = context;
    char *path = path_join(l->folder, name);
    if (path == NULL) {
        l->failed = 1;
    } else if (file_is_directory(path) && eval_task_is_here(path)) {
        if (l->n == l->capacity) {
            char **grown = realloc(l->paths, (l->capacity * 2 + 8) * sizeof *grown);
            if (grown == NULL) {
                l->failed = 1;
                free(path);
                return;
            }
            l->paths = grown;
            l->capacity = l->capacity * 2 + 8;
        }
        l->paths[l->n++] = path;
        return;
    }
    free(path);
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static minnow_status add_tasks_beneath(eval_tasks *t, listing *l, minnow_error *error) {
    if (os_list_folder(l->folder, visit, l) != 0)
        return error_set(error, MINNOW_ERROR_IO, "%s: cannot list: %s", l->folder, strerror(errno));
    if (l->failed) return out_of_memory(error);
    if (l->n == 0) return add_task(t, l->folder, error); /* fails, and says what was looked for */
    qsort(l->paths, l->n, sizeof *l->paths, compare_paths);
    for (size_t i = 0; i < l->n; i++) TRY(add_task(t, l->paths[i], error));
    return MINNOW_OK;
}

static minnow_status add_folder(eval_tasks *t, const char *folder, minnow_error *error) {
    listing l = {.folder = folder};
    minnow_status status;
    if (!file_is_directory(folder) || eval_task_is_here(folder)) return add_task(t, folder, error);
    status = add_tasks_beneath(t, &l, error);
    for (size_t i = 0; i < l.n; i++) free(l.paths[i]);
    free(l.paths);
    return status;
}

minnow_status eval_tasks_open(eval_tasks *out, char *const *folders, size_t n, minnow_error *error) {
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        const minnow_status status = add_folder(out, folders[i], error);
        if (status == MINNOW_OK) continue;
        eval_tasks_close(out);
        return status;
    }
    return MINNOW_OK;
}

void eval_tasks_close(eval_tasks *t) {
    for (size_t i = 0; i < t->n; i++) eval_task_close(&t->items[i]);
    free(t->items);
    memset(t, 0, sizeof *t);
}
