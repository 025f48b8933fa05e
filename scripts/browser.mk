# Minnow - SPDX-License-Identifier: Apache-2.0
# Tests in browsers: Chromium by playwright-core (js/package.json), Firefox by its command line. Without a browser, Node or
# the modules' compiler they are skipped with a line.
#   make test-browser     BROWSER_TESTS="golden cache": those with one of the words in their names
BROWSER_TESTS ?=
browser_commands = 'BUILD=$(BUILD) MAKE="$(MAKE)" sh tests/browser/run.sh $(BROWSER_TESTS)'
.PHONY: test-browser
test-browser: ## the package in real Chromium and Firefox (BROWSER_TESTS="golden cache": a part)
	@$(RUN_TESTS) $(browser_commands)
