for n in 2 3 5 100; do minnow tokenize --tokenizer "$DATA/vocab.txt" --max-tokens $n "how do i reset my password?"; done
code minnow tokenize --tokenizer "$DATA/vocab.txt" --max-tokens 1 "a"
