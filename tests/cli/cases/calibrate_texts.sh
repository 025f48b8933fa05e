# Which texts are calibrated with: lines, JSONL, samples, the installed ones; what is cut is told.
need_tiny
cp -r "$GOLDEN/tiny-bert/gelu-f32" tiny && cp "$DATA/vocab.txt" tiny
told() { minnow calibrate --model tiny --method minmax -o ranges.json --json "$@" | cut -d , -f 1-6; }
for i in 1 2 3 4 5 6 7 8 9; do echo "hello world $i"; done > lines
sed 's/.*/"&"/' lines > strings.jsonl
sed 's/.*/{"id": 1, "text": "&"}/' lines > objects.jsonl
told --texts lines && cp ranges.json expected
told --texts strings.jsonl && cmp ranges.json expected
told --texts objects.jsonl && cmp ranges.json expected
told --texts lines --samples 3
told --texts lines --samples 0
told --texts lines --max-tokens 4
{ echo hello; yes hello | head -n 100000 | tr '\n' ' '; } > giant
told --texts giant
minnow calibrate --model tiny --method minmax --texts giant -o ranges.json | head -n 1
# The program of an installation finds that installation's texts; elsewhere it says what to do.
mkdir -p prefix/bin prefix/share/minnow && cp "$MINNOW_PROGRAM" prefix/bin/program
MINNOW_PROGRAM=$PWD/prefix/bin/program
told
cp lines prefix/share/minnow/calibration.txt
told && cmp ranges.json expected && echo same
