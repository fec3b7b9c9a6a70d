# SPDX-License-Identifier: GPL-2.0-or-later

bindir     := $(DESTDIR)$(PREFIX)/bin
sbindir    := $(DESTDIR)$(PREFIX)/sbin
libexecdir := $(DESTDIR)$(PREFIX)/libexec/kvm-ext
mandir     := $(DESTDIR)$(PREFIX)/share/man
exampledir := $(DESTDIR)$(PREFIX)/share/doc/kvm-ext/examples
compdir    := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
confdir    := $(DESTDIR)/etc/kvm-ext
moduledir   = $(DESTDIR)/lib/modules/$(KERNEL)/updates
# Packages have a place of their own for these, which is not the administrator's.
UNITDIR    ?= /etc/systemd/system
DBUSDIR    ?= /etc/dbus-1/system.d
SYSUSERS   ?= /etc/sysusers.d
unitdir    := $(DESTDIR)$(UNITDIR)
dbusdir    := $(DESTDIR)$(DBUSDIR)
sysusers   := $(DESTDIR)$(SYSUSERS)

## install: install daemon, CLI, man pages, units and, if built, the module (PREFIX=/usr/local, DESTDIR=)
.PHONY: install install-programs uninstall
install: install-programs modules-if-headers
	if [ -e $(KMOD) ]; then install -Dm644 $(KMOD) $(moduledir)/kvm_ext.ko; fi
	if [ -z "$(DESTDIR)" ] && [ -e $(KMOD) ]; then depmod $(KERNEL); fi
	if [ -z "$(DESTDIR)" ] && command -v systemd-sysusers >/dev/null; then systemd-sysusers kvm-ext.conf; fi
	@# The bus leaves out a policy for a group that did not exist when the bus read it.
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ] && systemctl --quiet is-active dbus; then systemctl reload dbus; fi

install-programs: hostd
	install -Dm755 $(BUILD)/hostd/kvm-ext $(bindir)/kvm-ext
	install -Dm755 $(BUILD)/hostd/kvm-extd $(sbindir)/kvm-extd
	install -Dm755 $(BUILD)/hostd/kvm-ext-testvm $(libexecdir)/kvm-ext-testvm
	for page in docs/man/*; do install -Dm644 $$page $(mandir)/man$${page##*.}/$${page##*/} || exit 1; done
	install -Dm644 packaging/completion/kvm-ext $(compdir)/kvm-ext
	install -Dm644 -t $(exampledir) packaging/examples/*
	install -d $(unitdir)
	sed 's|@sbindir@|$(PREFIX)/sbin|' packaging/kvm-extd.service >$(unitdir)/kvm-extd.service
	install -Dm644 packaging/org.kvmext1.conf $(dbusdir)/org.kvmext1.conf
	install -Dm644 packaging/kvm-ext.sysusers $(sysusers)/kvm-ext.conf
	test -e $(confdir)/kvm-extd.conf || install -Dm640 packaging/kvm-extd.conf $(confdir)/kvm-extd.conf

# The sources of one module (MODULES=host|guest), as DKMS builds them: a folder that kvm-ext/Makefile works in.
SOURCEDIR ?= /usr/src/kvm-ext-$(VERSION)
.PHONY: install-source
install-source:
	for file in kvm-ext/Kbuild kvm-ext/Makefile $$(find $(MODULES:%=kvm-ext/%) kvm-ext/common kvm-ext/compat include \
		-name '*.[ch]' ! -name port-user.h); do install -Dm644 $$file $(DESTDIR)$(SOURCEDIR)/$$file || exit 1; done
	install -Dm755 kvm-ext/compat/probe $(DESTDIR)$(SOURCEDIR)/kvm-ext/compat/probe

## uninstall: remove what install put there; the configuration file stays
uninstall:
	rm -f $(bindir)/kvm-ext $(sbindir)/kvm-extd $(libexecdir)/kvm-ext-testvm $(compdir)/kvm-ext $(unitdir)/kvm-extd.service \
		$(dbusdir)/org.kvmext1.conf $(sysusers)/kvm-ext.conf
	for file in packaging/examples/*; do rm -f $(exampledir)/$${file##*/}; done
	for page in docs/man/*; do rm -f $(mandir)/man$${page##*.}/$${page##*/}; done
	if [ -e $(moduledir)/kvm_ext.ko ]; then rm $(moduledir)/kvm_ext.ko; if [ -z "$(DESTDIR)" ]; then depmod $(KERNEL); fi; fi

## deb: install what is missing, make the Debian packages in build/deb (programs; by DKMS, the modules of host and guest)
.PHONY: deb
deb:
	@mk/deps $(PACKAGES_BUILD) $(PACKAGES_DEB)
	@packaging/make-debs
