# CRLF, an empty line, no newline at the end.
printf 'hello world\r\n\na b\nc' | minnow tokenize --tokenizer "$DATA/vocab.txt"
echo ---
printf '' | minnow tokenize --tokenizer "$DATA/vocab.txt"
echo ---
printf '\n' | minnow tokenize --tokenizer "$DATA/vocab.txt"
