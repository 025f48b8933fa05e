# 8 MB in one line, without a newline; 4 million words.
yes a | head -n 4000000 | tr '\n' ' ' | minnow tokenize --tokenizer "$DATA/vocab.txt" | tr ',' '\n' | sort | uniq -c | sed 's/^ *//'
