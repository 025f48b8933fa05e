need_tiny
m="--model $GOLDEN/tiny-bert/gelu-f32 --tokenizer $DATA/vocab.txt"
printf 'a\nb\nc\n' > texts
minnow embed $m --npy file.npy < texts
# To a pipe, which cannot be rewound, and to a file that the shell has opened.
minnow embed $m --npy /dev/stdout < texts | cmp - file.npy && echo same
minnow embed $m --npy /dev/stdout < texts > opened.npy && cmp opened.npy file.npy && echo same
minnow embed $m --npy /dev/fd/3 < texts 3> opened.npy && cmp opened.npy file.npy && echo same
[[ -L /dev/stdout ]] && echo still a link
code minnow embed $m --npy '' a
ls
