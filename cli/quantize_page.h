/* SPDX-License-Identifier: Apache-2.0
 * minnow quantize --report: what a finished quantization and an evaluation of its file come to, as a page. */
#ifndef MINNOW_CLI_QUANTIZE_PAGE_H
#define MINNOW_CLI_QUANTIZE_PAGE_H

#include "eval.h"
#include "quantize_job.h"

/* What can be told before minutes of work: that the page can be written, and is no other file of the job; the tasks,
 * read. *tasks is to be closed with eval_tasks_close, whatever happened. */
minnow_status quantize_page_prepare(eval_tasks *tasks, const quantize_job *j, minnow_error *error);

/* Compares both models layer by layer, scores the written file on the tasks, writes the page. */
minnow_status quantize_page_write(quantize_job *j, const eval_tasks *tasks, minnow_error *error);

#endif
