minnow version | sed 's/^\(compiler\|target\|tiers\|threads\)  *.*/\1 .../'
minnow version --json | sed -E 's/"(compiler|target|tier)":"[^"]+"/"\1":"..."/g; s/\["scalar"[^]]*\]/[...]/; s/"threads":[0-9]+/"threads":0/'
minnow --version | head -n 1
