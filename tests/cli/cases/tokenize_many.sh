# Across the reader's buffer many times; lines of all lengths.
for i in $(seq 0 999); do printf '%*s\n' $((i * 3)) a; done > lines
minnow tokenize --tokenizer "$DATA/vocab.txt" < lines | sort | uniq -c | sed 's/^ *//'
cat lines lines lines | minnow tokenize --tokenizer "$DATA/vocab.txt" | wc -l
