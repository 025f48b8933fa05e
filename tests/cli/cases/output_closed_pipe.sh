{ yes a | minnow tokenize --tokenizer "$DATA/vocab.txt"; echo "exit $?" >&2; } | head -n 1
