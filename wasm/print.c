/* SPDX-License-Identifier: Apache-2.0
 * A format and its arguments -> text (print.h). In a WASM module snprintf and vsnprintf are made of it. */
#include "print.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct sink {
    char *out;
    size_t capacity, n; /* n goes on beyond the capacity */
} sink;

static void put(sink *s, char c) {
    if (s->n + 1 < s->capacity) s->out[s->n] = c;
    s->n++;
}

static void put_bytes(sink *s, const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) put(s, text[i]);
}

typedef struct conversion {
    int zeros, prefix;
    size_t width, precision; /* precision SIZE_MAX: none */
    int size;                /* bytes of the argument */
    char kind;
} conversion;

/* Behind the '%'. Returns what follows; NULL if it is none of print.h's. */
static const char *read_conversion(conversion *c, const char *p, va_list *arguments) {
    memset(c, 0, sizeof *c);
    c->precision = SIZE_MAX;
    for (; *p == '0' || *p == '#'; p++) *(*p == '0' ? &c->zeros : &c->prefix) = 1;
    for (; *p >= '0' && *p <= '9'; p++) c->width = c->width * 10 + (size_t)(*p - '0');
    if (*p == '.') {
        c->precision = 0;
        if (*++p == '*') {
            const int precision = va_arg(*arguments, int);
            c->precision = precision < 0 ? SIZE_MAX : (size_t)precision;
            p++;
        }
        for (; *p >= '0' && *p <= '9'; p++) c->precision = c->precision * 10 + (size_t)(*p - '0');
    }
    c->size = (int)sizeof(int);
    if (*p == 'z') c->size = (int)sizeof(size_t), p++;
    else if (p[0] == 'l' && p[1] == 'l') c->size = (int)sizeof(long long), p += 2;
    else if (*p == 'l') c->size = (int)sizeof(long), p++;
    c->kind = *p;
    return *p != '\0' && strchr("dux%s", *p) != NULL ? p + 1 : NULL;
}

/* All of an argument's sizes are those of one of two types. */
static uint64_t take_number(const conversion *c, va_list *arguments) {
    if (c->size == (int)sizeof(uint64_t)) return va_arg(*arguments, uint64_t);
    if (c->kind == 'd') return (uint64_t)(int64_t)va_arg(*arguments, int);
    return va_arg(*arguments, unsigned);
}

static void put_number(sink *s, const conversion *c, uint64_t number) {
    const unsigned base = c->kind == 'x' ? 16 : 10;
    const int negative = c->kind == 'd' && (int64_t)number < 0;
    const size_t before = negative ? 1 : c->prefix && number != 0 ? 2 : 0;
    char digits[24];
    size_t n = 0;
    if (negative) number = 0 - number;
    do digits[n++] = "0123456789abcdef"[number % base];
    while ((number /= base) != 0);
    if (!c->zeros)
        for (size_t i = n + before; i < c->width; i++) put(s, ' ');
    put_bytes(s, negative ? "-" : "0x", before);
    if (c->zeros)
        for (size_t i = n + before; i < c->width; i++) put(s, '0');
    while (n > 0) put(s, digits[--n]);
}

static void put_string(sink *s, const conversion *c, const char *text) {
    const char *found = c->precision == SIZE_MAX ? NULL : memchr(text, '\0', c->precision);
    const size_t n = c->precision == SIZE_MAX ? strlen(text) : found != NULL ? (size_t)(found - text) : c->precision;
    for (size_t i = n; i < c->width; i++) put(s, ' ');
    put_bytes(s, text, n);
}

int print_into(char *out, size_t capacity, const char *format, va_list given) {
    sink s = {out, capacity, 0};
    va_list arguments;
    va_copy(arguments, given);
    while (*format != '\0') {
        conversion c;
        const char *next;
        if (*format != '%') {
            put(&s, *format++);
            continue;
        }
        next = read_conversion(&c, format + 1, &arguments);
        if (next == NULL) {
            put_bytes(&s, format, strlen(format));
            break;
        }
        if (c.kind == '%') put(&s, '%');
        else if (c.kind == 's') put_string(&s, &c, va_arg(arguments, const char *));
        else put_number(&s, &c, take_number(&c, &arguments));
        format = next;
    }
    va_end(arguments);
    if (capacity > 0) out[s.n < capacity ? s.n : capacity - 1] = '\0';
    return (int)s.n;
}

#if defined(__wasm__)
int vsnprintf(char *restrict out, size_t capacity, const char *restrict format, va_list arguments) {
    return print_into(out, capacity, format, arguments);
}

int snprintf(char *restrict out, size_t capacity, const char *restrict format, ...) {
    va_list arguments;
    int n;
    va_start(arguments, format);
    n = print_into(out, capacity, format, arguments);
    va_end(arguments);
    return n;
}
#endif
