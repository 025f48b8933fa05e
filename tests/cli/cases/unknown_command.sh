code minnow embd
code minnow tokenise
code minnow frobnicate
code minnow help smilarity
code minnow $'bad\e[31mname'
