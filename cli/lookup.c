/* SPDX-License-Identifier: Apache-2.0
 * Nothing named -> the model to use, and a model -> its tokenizer. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "cli.h"

#define USUAL_MODEL "all-MiniLM-L6-v2"
#define MAX_PLACES 6

/* folder/name, freeing folder; NULL in, NULL out. */
static char *join_free(char *folder, const char *name) {
    char *path = folder == NULL ? NULL : path_join(folder, name);
    free(folder);
    return path;
}

static char *folder_free(char *path) {
    char *folder = path == NULL ? NULL : path_folder(path);
    free(path);
    return folder;
}

/* The folder `levels` above the program's own. */
static char *above_program(int levels) {
    char *path = folder_free(os_executable_path());
    for (; levels > 0; levels--) path = folder_free(path);
    return path;
}

static char *user_data_folder(void) {
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    if (data != NULL && *data != '\0') return path_join(data, "minnow");
    return home != NULL && *home != '\0' ? path_join(home, ".local/share/minnow") : NULL;
}

static size_t list_places(char **places) {
    size_t n = 0, used = 0, i;
    places[n++] = join_free(above_program(0), "models");
    places[n++] = join_free(above_program(1), "models");
    places[n++] = join_free(above_program(2), "models");
    places[n++] = user_data_folder();
    places[n++] = join_free(above_program(1), "share/minnow");
    for (i = 0; i < n; i++)
        if (places[i] != NULL) places[used++] = places[i];
    return used;
}

/* Folders, .onnx and .minnow files of one place. */
typedef struct candidates {
    const char *folder;
    char *only;
    size_t n;
} candidates;

static void visit(void *context, const char *name) {
    candidates *c = context;
    char *path = name[0] == '.' ? NULL : path_join(c->folder, name);
    if (path == NULL) return;
    if ((file_is_directory(path) || path_has_suffix(path, ".onnx") || path_has_suffix(path, ".minnow")) && c->n++ == 0)
        c->only = path;
    else free(path);
}

static char *find_in(const char *folder) {
    candidates c;
    char *usual = path_join(folder, USUAL_MODEL);
    if (usual != NULL && file_is_directory(usual)) return usual;
    free(usual);
    memset(&c, 0, sizeof c);
    c.folder = folder;
    if (os_list_folder(folder, visit, &c) == 0 && c.n == 1) return c.only;
    free(c.only);
    return NULL;
}

static void tell_where(char *const *places, size_t n, minnow_error *error) {
    char text[MINNOW_ERROR_MESSAGE_BYTES - 160] = "";
    size_t used = 0, i;
    for (i = 0; i < n && used + strlen(places[i]) + 3 < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "", places[i]);
    error_set(error, MINNOW_ERROR_IO,
              "no model found in %s; name one with --model or $MINNOW_MODEL, or run 'make model' in the checkout",
              text);
}

char *cli_find_model(minnow_error *error) {
    const char *named = getenv("MINNOW_MODEL");
    char *places[MAX_PLACES];
    char *model = NULL;
    size_t n, i;
    if (named != NULL && *named != '\0') {
        if (!file_exists(named) && !file_is_directory(named)) {
            error_set(error, MINNOW_ERROR_IO, "%s: no such file or folder (named by $MINNOW_MODEL)", named);
            return NULL;
        }
        model = path_join("", named);
        if (model == NULL) error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
        return model;
    }
    n = list_places(places);
    for (i = 0; i < n && model == NULL; i++) model = find_in(places[i]);
    if (model == NULL) tell_where(places, n, error);
    for (i = 0; i < n; i++) free(places[i]);
    return model;
}

/* The first of the places where our calibration texts may lie. */
char *cli_find_calibration_texts(minnow_error *error) {
    char *places[] = {join_free(above_program(0), "data/calibration.txt"),
                      join_free(above_program(1), "data/calibration.txt"),
                      join_free(above_program(2), "data/calibration.txt"),
                      join_free(above_program(1), "share/minnow/calibration.txt")};
    char *found = NULL;
    size_t i;
    for (i = 0; i < sizeof places / sizeof *places; i++) {
        if (found == NULL && places[i] != NULL && file_exists(places[i])) found = places[i];
        else free(places[i]);
    }
    if (found == NULL)
        error_set(error, MINNOW_ERROR_IO,
                  "no calibration texts found (data/calibration.txt of the checkout, PREFIX/share/minnow/"
                  "calibration.txt); name a file with --texts");
    return found;
}

static int has_tokenizer(const char *folder) {
    char *json = path_join(folder, "tokenizer.json");
    char *vocab = path_join(folder, "vocab.txt");
    const int has = (json != NULL && file_exists(json)) || (vocab != NULL && file_exists(vocab));
    free(json);
    free(vocab);
    return has;
}

char *cli_find_tokenizer(const char *model, minnow_error *error) {
    char *folder;
    if (!file_is_directory(model) && !file_exists(model)) {
        error_set(error, MINNOW_ERROR_IO, "%s: no such file or folder", model);
        return NULL;
    }
    folder = file_is_directory(model) ? path_join("", model) : path_folder(model);
    if (folder != NULL && !has_tokenizer(folder)) {
        char *parent;
        if (!path_above_onnx(&parent, folder)) {
            free(folder);
            folder = NULL;
        } else if (parent != NULL) {
            free(folder);
            folder = parent;
        }
    }
    if (folder == NULL) {
        error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    } else if (!has_tokenizer(folder)) {
        error_set(error, MINNOW_ERROR_IO, "%s: no tokenizer.json or vocab.txt here; name one with --tokenizer", folder);
        free(folder);
        folder = NULL;
    }
    return folder;
}
