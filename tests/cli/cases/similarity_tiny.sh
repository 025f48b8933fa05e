need_tiny
m="--model $GOLDEN/tiny-bert/gelu-f32 --tokenizer $DATA/vocab.txt"
minnow similarity $m "hello" "hello"
minnow similarity $m --json "a \"b\"" "a \"b\"" | cut -c 1-38
printf 'a\ta\nb\tb\r\n\t\n' | minnow similarity $m
printf 'a\ta\nno tab\nb\tb\n' | code minnow similarity $m
printf 'a\tb\tc\n' | code minnow similarity $m
