[[ -c /dev/full ]] || exit 77
minnow version > /dev/full; echo "exit $?"
minnow tokenize --tokenizer "$DATA/vocab.txt" a > /dev/full; echo "exit $?"
yes a | head -n 100000 | minnow tokenize --tokenizer "$DATA/vocab.txt" > /dev/full; echo "exit $?"
minnow tokenize --tokenizer "$DATA/vocab.txt" a >&-; echo "exit $?"
minnow tokenize --tokenizer "$DATA/vocab.txt" <&-; echo "exit $?"
minnow tokenize --tokenizer "$DATA/vocab.txt" < .; echo "exit $?"
