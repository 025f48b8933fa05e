code env MINNOW_ISA=avx1024 bash -c '$RUNNER "$MINNOW_PROGRAM" version'
MINNOW_ISA=scalar minnow version --json | sed 's/.*"tier":"\([a-z0-9]*\)".*/\1/'
