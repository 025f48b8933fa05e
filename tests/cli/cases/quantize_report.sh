# A page that two parsers read the same way, with names that would be markup; the same bytes everywhere.
need_tiny
command -v python3 > /dev/null || exit 77
hostile='<script>alert(1)<!--"'"'"'&amp;]]>'
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny
{ head -n 19 "$DATA/vocab.txt"; for i in {20..28}; do echo "<b onclick=alert($i)>$i</b>"; done; } > tiny/vocab.txt
texts='"><img src=x onerror=alert(1)>.txt'
printf 'how do i reset my password?\nhello world\na b c\nhello hello hello hello hello hello hello hello hello\n' > "$texts"
task="sets/<a href='javascript:alert(1)'>"
mkdir -p "$task" sets/plain
printf '5\thello world\thello\n1\thow do i\tworld\n3\thello\tdo\n3\ta\tdo i\n' > "$task/test.tsv"
printf 'hello\nworld\n' > sets/plain/sentences.tsv
quantize() { minnow quantize --model tiny --texts "$texts" --name "$hostile" --license '<i>"free"</i>' "$@"; }
quantize -o a.minnow --report a.html --eval sets | sed 's/[0-9]*\.[0-9] s/0.0 s/g; 2,$d'
python3 "$DATA/read_page.py" a.html "$hostile" '<i>"free"</i>' "$texts" \
    "${task#sets/}" '<b onclick=alert(' 'a.minnow' 'plain'
sed 's/Written by minnow [^<]*/VERSION/' a.html | sha256sum
# One folder at a time, from saved ranges; the page says where they came from. Every tier, any number of threads.
minnow calibrate --model tiny --texts "$texts" -o r.json > /dev/null
quantize --ranges r.json -o a.minnow --report b.html --eval "$task" --eval sets/plain > /dev/null
diff a.html b.html | grep -c '^[<>]'
for tier in scalar avx2 avx512 neon; do
    MINNOW_ISA=$tier minnow version > /dev/null 2>&1 || continue
    for threads in 1 3; do
        MINNOW_ISA=$tier quantize --threads $threads -o a.minnow --report same.html --eval sets > /dev/null
        cmp same.html a.html
    done
done && echo same
# Without texts, without tasks; other tables; ONNX.
minnow quantize --model tiny --ranges r.json --rounding nearest --texts "$texts" --embedding fp16 \
    --no-bias-correction -o a.minnow --report c.html > /dev/null
minnow quantize --model tiny --texts "$texts" --no-equalization --embedding mixed --ln-inputs per-channel \
    -o a.onnx --force --report d.html > /dev/null
for page in c d; do
    python3 "$DATA/read_page.py" $page.html 'not known' 'No task was given' 'no equalization' | tail -n 4
done
# Standard output.
quantize -o a.minnow --report - --eval sets | cmp - a.html && echo same
ls
