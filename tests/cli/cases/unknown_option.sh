code minnow embed --modle x
code minnow embed --no-normalise text
code minnow tokenize --xyzzy
code minnow embed -5
code minnow embed --t
code minnow embed --jsonl=yes
code minnow embed --npy
code minnow similarity a
code minnow similarity a b c
code minnow version now
code minnow version --json -xh
