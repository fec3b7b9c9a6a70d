# SPDX-License-Identifier: GPL-2.0-or-later

bindir     := $(DESTDIR)$(PREFIX)/bin
sbindir    := $(DESTDIR)$(PREFIX)/sbin
libexecdir := $(DESTDIR)$(PREFIX)/libexec/kvm-ext
mandir     := $(DESTDIR)$(PREFIX)/share/man
compdir    := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
unitdir    := $(DESTDIR)/etc/systemd/system
dbusdir    := $(DESTDIR)/etc/dbus-1/system.d
confdir    := $(DESTDIR)/etc/kvm-ext
sysusers   := $(DESTDIR)/etc/sysusers.d
moduledir   = $(DESTDIR)/lib/modules/$(KERNEL)/updates

## install: install daemon, CLI, man pages, units and, if built, the module (PREFIX=/usr/local, DESTDIR=)
.PHONY: install uninstall
install: hostd modules-if-headers
	install -Dm755 $(BUILD)/hostd/kvm-ext $(bindir)/kvm-ext
	install -Dm755 $(BUILD)/hostd/kvm-extd $(sbindir)/kvm-extd
	install -Dm755 $(BUILD)/hostd/kvm-ext-testvm $(libexecdir)/kvm-ext-testvm
	for page in docs/man/*; do install -Dm644 $$page $(mandir)/man$${page##*.}/$${page##*/} || exit 1; done
	install -Dm644 packaging/completion/kvm-ext $(compdir)/kvm-ext
	install -d $(unitdir)
	sed 's|@sbindir@|$(PREFIX)/sbin|' packaging/kvm-extd.service >$(unitdir)/kvm-extd.service
	install -Dm644 packaging/org.kvmext1.conf $(dbusdir)/org.kvmext1.conf
	install -Dm644 packaging/kvm-ext.sysusers $(sysusers)/kvm-ext.conf
	test -e $(confdir)/kvm-extd.conf || install -Dm640 packaging/kvm-extd.conf $(confdir)/kvm-extd.conf
	if [ -e $(KMOD) ]; then install -Dm644 $(KMOD) $(moduledir)/kvm_ext.ko; fi
	if [ -z "$(DESTDIR)" ] && [ -e $(KMOD) ]; then depmod $(KERNEL); fi
	if [ -z "$(DESTDIR)" ] && command -v systemd-sysusers >/dev/null; then systemd-sysusers kvm-ext.conf; fi

## uninstall: remove what install put there; the configuration file stays
uninstall:
	rm -f $(bindir)/kvm-ext $(sbindir)/kvm-extd $(libexecdir)/kvm-ext-testvm $(compdir)/kvm-ext $(unitdir)/kvm-extd.service \
		$(dbusdir)/org.kvmext1.conf $(sysusers)/kvm-ext.conf $(moduledir)/kvm_ext.ko
	for page in docs/man/*; do rm -f $(mandir)/man$${page##*.}/$${page##*/}; done
