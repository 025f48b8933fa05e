t() { minnow tokenize --tokenizer "$DATA/vocab.txt" --jsonl; echo "exit $?"; }
printf '"a"\n"b\n' | t
printf '"a"\n{"text":3}\n' | t
printf '{"texts":"a"}\n' | t
printf '{"text":"a","text":"b"}\n' | t
printf '7\n' | t
printf '"\\ud800"\n' | t
printf '"\xff"\n' | t
printf '"a" "b"\n' | t
head -c 100000 /dev/zero | tr '\0' '[' | t
