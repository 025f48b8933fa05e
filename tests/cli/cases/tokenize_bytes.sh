# NUL, invalid UTF-8, control characters: ordinary text.
printf 'hello\0world\n\xff\xfe a\n\x1b[31mb\n\xed\xa0\x80c\n' | minnow tokenize --tokenizer "$DATA/vocab.txt"
