printf '"hello\\nworld"\r\n{"id":7,"text":"a b"}\n   \n"\\u0063"' | minnow tokenize --tokenizer "$DATA/vocab.txt" --jsonl
printf '\xef\xbb\xbf"after a byte order mark, a"\n' | minnow tokenize --tokenizer "$DATA/vocab.txt" --jsonl
