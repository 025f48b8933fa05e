# Minnow - SPDX-License-Identifier: Apache-2.0
# make install DESTDIR=... PREFIX=... LIBDIR=...: the program, the header, both libraries, what finds them, the manual page.
BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/minnow
OBJCOPY ?= $(AR:%ar=%objcopy)
D = $(DESTDIR)

# The library's objects as one, with all but the public functions made local: names like arena_init must not meet the user's.
INSTALLED_ARCHIVE := $(BUILD)/static/libminnow.a
$(INSTALLED_ARCHIVE): $(OBJ)
	@mkdir -p $(@D) && rm -f $@
	$(CC) -r -nostdlib $^ -o $(@D)/minnow.o
	$(OBJCOPY) --localize-hidden $(@D)/minnow.o
	$(AR) rcs $@ $(@D)/minnow.o

SHARED := libminnow.so.$(VERSION)
PACKAGING := $(BUILD)/packaging
CMAKE_FILES := minnowConfig.cmake minnowConfigVersion.cmake
# Paths inside the package files are relative to their own place, so that an installed tree may be moved.
relative = $(shell realpath -ms --relative-to='$(1)' '$(2)')
# Made anew each time: PREFIX and LIBDIR may have changed.
.PHONY: packaging install uninstall
packaging:
	@mkdir -p $(PACKAGING)
	@for f in minnow.pc $(CMAKE_FILES); do \
	    sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@SOVERSION@|$(SOVERSION)|g' -e 's|@PREFIX@|$(PREFIX)|g' \
	        -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|g' \
	        -e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|g' \
	        -e 's|@RELATIVE_INCLUDEDIR@|$(call relative,$(LIBDIR)/cmake/minnow,$(INCLUDEDIR))|g' \
	        scripts/packaging/$$f.in > $(PACKAGING)/$$f || exit 1; \
	done

DATADIR ?= $(PREFIX)/share/minnow
DOCS := README.md LICENSE NOTICE CHANGELOG.md SECURITY.md \
    $(addprefix docs/,API.md EVAL.md FORMAT.md MIGRATING.md ONNX.md QUANTIZATION.md REPORT.md report.png)
INSTALL ?= install
install: all $(INSTALLED_ARCHIVE) packaging ## install; DESTDIR, PREFIX (/usr/local), LIBDIR (PREFIX/lib)
	$(INSTALL) -d $(D)$(BINDIR) $(D)$(INCLUDEDIR) $(D)$(LIBDIR)/pkgconfig $(D)$(LIBDIR)/cmake/minnow $(D)$(MANDIR)/man1 \
	    $(D)$(DOCDIR) $(D)$(DATADIR)
	$(INSTALL) -m 755 $(BUILD)/minnow$(EXE) $(D)$(BINDIR)/
	$(INSTALL) -m 644 include/minnow.h $(D)$(INCLUDEDIR)/
	$(INSTALL) -m 644 $(INSTALLED_ARCHIVE) $(D)$(LIBDIR)/
	$(INSTALL) -m 755 $(BUILD)/$(SHARED) $(D)$(LIBDIR)/
	ln -sf $(SHARED) $(D)$(LIBDIR)/libminnow.so.$(SOVERSION)
	ln -sf libminnow.so.$(SOVERSION) $(D)$(LIBDIR)/libminnow.so
	$(INSTALL) -m 644 $(PACKAGING)/minnow.pc $(D)$(LIBDIR)/pkgconfig/
	$(INSTALL) -m 644 $(CMAKE_FILES:%=$(PACKAGING)/%) $(D)$(LIBDIR)/cmake/minnow/
	$(INSTALL) -m 644 docs/minnow.1 $(D)$(MANDIR)/man1/
	$(INSTALL) -m 644 data/calibration.txt $(D)$(DATADIR)/
	$(INSTALL) -m 644 $(DOCS) $(D)$(DOCDIR)/
uninstall: ## remove what install put there (give it the same variables)
	rm -f $(D)$(BINDIR)/minnow$(EXE) $(D)$(INCLUDEDIR)/minnow.h $(D)$(MANDIR)/man1/minnow.1
	rm -f $(addprefix $(D)$(LIBDIR)/,libminnow.a libminnow.so libminnow.so.$(SOVERSION) $(SHARED) pkgconfig/minnow.pc)
	rm -f $(CMAKE_FILES:%=$(D)$(LIBDIR)/cmake/minnow/%) $(addprefix $(D)$(DOCDIR)/,$(notdir $(DOCS)))
	rm -f $(D)$(DATADIR)/calibration.txt
	-rmdir $(D)$(LIBDIR)/cmake/minnow $(D)$(DOCDIR) $(D)$(DATADIR) 2>/dev/null
