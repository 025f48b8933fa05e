minnow tokenize --tokenizer "$DATA/vocab.txt" "How do I reset my password?" "" "HELLO, Worlds!" "Café 中文 xyz"
minnow tokenize --tokenizer "$DATA/vocab.txt" --pieces "How do I reset my passwords?" "Café 中文 xyz"
