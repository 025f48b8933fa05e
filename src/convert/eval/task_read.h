/* SPDX-License-Identifier: Apache-2.0
 * Reading a task, in parts. */
#ifndef MINNOW_CONVERT_EVAL_TASK_READ_H
#define MINNOW_CONVERT_EVAL_TASK_READ_H

#include "convert/eval/task.h"

minnow_status eval_out_of_memory(minnow_error *error);
minnow_status eval_read_retrieval(eval_task *t, eval_strings *texts, const eval_file *files, minnow_error *error);

#endif
