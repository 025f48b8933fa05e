need_tiny
m="--model $GOLDEN/tiny-bert/gelu-f32 --tokenizer $DATA/vocab.txt"
shape() { sed -E 's/-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?/0/g'; }
minnow embed $m $'tab\t"quoted" \x80 \e[31m' --dimensions 4 | shape
minnow embed $m --tokens --dimensions 2 "a" | shape
minnow embed $m --precision binary --dimensions 8 "a" | shape
minnow embed $m --max-tokens 3 "hello world how do you do" | sed 's/"embedding":.*\],//'
code minnow embed $m --dimensions 5000 "a"
code minnow embed $m --max-tokens 100000 "a"
