# Each command explains itself, in both ways, alike, in lines that fit a terminal.
for command in embed similarity tokenize run inspect export calibrate quantize eval version; do
    minnow help $command > a
    minnow $command --help > b
    cmp a b
    head -n 1 a | cut -d ' ' -f 1-3
    if [[ $(wc -L < a) -gt 120 ]]; then echo "$command: too wide"; fi
done
