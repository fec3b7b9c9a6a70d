// SPDX-License-Identifier: GPL-2.0-or-later
/* A clone's XML: its identity, its size, its placement, its marker; and templates that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "experiment/clone.h"

#define UUID "11111111-2222-4333-8444-555555555555"

static const char template[] =
	"<domain type='kvm' id='3'>"
	"<name>web</name><uuid>99999999-2222-4333-8444-555555555555</uuid>"
	"<metadata><other xmlns='urn:other'>stays</other>"
	"<k:clone xmlns:k='" KX_CLONE_NAMESPACE "' experiment='an older one'/></metadata>"
	"<memory unit='MiB'>512</memory><currentMemory unit='MiB'>256</currentMemory>"
	"<vcpu placement='static' current='1'>2</vcpu>"
	"<cputune><shares>7</shares><vcpupin vcpu='0' cpuset='9'/></cputune>"
	"<cpu mode='host-passthrough'><topology sockets='1' cores='2' threads='1'/></cpu>"
	"<genid>99999999-2222-4333-8444-555555555555</genid>"
	"<devices>"
	"<interface type='network'><mac address='52:54:00:11:22:33'/><source network='a'/>"
	"<target dev='vnet7'/></interface>"
	"<interface type='bridge'><source bridge='b'/></interface>"
	"<disk type='file'><source file='/images/{name}.qcow2'/><target dev='vda'/></disk>"
	"<serial type='file'><source path='/run/{name}.{working-set}'/></serial>"
	"</devices></domain>";

static KxPoint point; /* of the current test */
static KxPlacing placement;

static int set_up(void **state)
{
	point = (KxPoint){ .vms = 1, .working_set = (char *)"64M" };
	placement = (KxPlacing){ 0 };
	return 0;
}

static KxCloneWish wish(void)
{
	return (KxCloneWish){ "an experiment", "web-1", UUID, 0, &point, &placement };
}

static char *clone_of(const char *xml)
{
	KxCloneWish w = wish();
	g_autoptr(GError) error = NULL;
	char *clone = kx_clone_xml(xml, &w, &error);

	if (!clone)
		fail_msg("%s", error->message);
	return clone;
}

/* What the XPath expression says of the XML, as text. */
static void assert_says(const char *xml, const char *expression, const char *want)
{
	xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), "clone", NULL, 0);
	xmlXPathContext *in = xmlXPathNewContext(doc);
	g_autofree char *whole = g_strdup_printf("string(%s)", expression);
	xmlXPathObject *found = xmlXPathEvalExpression((const xmlChar *)whole, in);

	assert_non_null(found);
	if (!g_str_equal(found->stringval, want))
		fail_msg("%s is '%s', not '%s', in %s", expression, found->stringval, want, xml);
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(in);
	xmlFreeDoc(doc);
}

static void identity(void **state)
{
	g_autofree char *xml = clone_of(template), *again = clone_of(template);

	assert_says(xml, "/domain/name", "web-1");
	assert_says(xml, "/domain/uuid", UUID);
	assert_says(xml, "count(/domain/@id)", "0");
	assert_says(xml, "/domain/genid", "");
	assert_says(xml, "/domain/devices/disk/source/@file", "/images/web-1.qcow2");
	/* addresses of its own, the same for the same clone, and no tap device of somebody else */
	assert_says(xml, "count(//interface/mac)", "2");
	assert_says(xml, "count(//mac[@address='52:54:00:11:22:33'])", "0");
	assert_says(xml, "starts-with(//interface[1]/mac/@address, '52:54:00:')", "true");
	assert_says(xml, "//interface[1]/mac/@address != //interface[2]/mac/@address", "true");
	assert_says(xml, "count(//interface/target)", "0");
	assert_string_equal(xml, again);
	/* everything else stays as the template has it */
	assert_says(xml, "/domain/memory/@unit", "MiB");
	assert_says(xml, "/domain/cputune/shares", "7");
	assert_says(xml, "/domain/metadata/*[local-name()='other']", "stays");
}

static void marker(void **state)
{
	g_autofree char *xml = clone_of(template);

	assert_true(kx_clone_is_ours(xml, "an experiment"));
	assert_false(kx_clone_is_ours(xml, "an older one"));
	assert_false(kx_clone_is_ours(template, "an experiment"));
	assert_true(kx_clone_is_ours(template, "an older one"));
	assert_false(kx_clone_is_ours("<domain><metadata><clone experiment='an experiment'/>"
				      "</metadata></domain>",
				      "an experiment"));
	assert_false(kx_clone_is_ours("no XML", "an experiment"));
	assert_says(xml, "count(/domain/metadata/*)", "2");
}

static void size(void **state)
{
	g_autofree char *xml = NULL;

	point.vcpus = 4;
	point.memory_bytes = 1ull << 30;
	xml = clone_of(template);
	assert_says(xml, "/domain/vcpu", "4");
	assert_says(xml, "count(/domain/vcpu/@current)", "0");
	assert_says(xml, "count(/domain/cpu/topology)", "0");
	assert_says(xml, "concat(/domain/memory, /domain/memory/@unit)", "1048576KiB");
	assert_says(xml, "count(/domain/currentMemory)", "0");
}

/* A value that is filled in is text, whatever it contains, and is not searched for placeholders. */
static void placeholders(void **state)
{
	static const char own[] = "<domain><name>x</name><description>{name} &amp;{uuid} "
				  "{0} ${nothing} {}</description><devices><serial><source "
				  "path='/{uuid}/{working-set}&amp;'/></serial></devices></domain>";
	g_autofree char *xml = NULL;

	point.working_set = (char *)"{name}<&>\"";
	xml = clone_of(own);
	assert_says(xml, "/domain/description", "web-1 &" UUID " {0} ${nothing} {}");
	assert_says(xml, "//serial/source/@path", "/" UUID "/{name}<&>\"&");
}

/* An unknown placeholder is an error with its name, wherever it is: otherwise it would stay as text, such as one file for all clones. */
static void unknown_placeholders(void **state)
{
	static const struct {
		const char *in, *name;
	} cases[] = {
		{ "<description>{nam}</description>", "{nam}" },
		{ "<devices><serial><source path='/run/{name}.{vm-name}'/></serial></devices>",
		  "{vm-name}" },
		/* this point has none */
		{ "<description>${x} {working-set}</description>", "{working-set}" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *xml =
			g_strdup_printf("<domain><name>x</name>%s</domain>", cases[i].in);
		g_autofree char *made = NULL;
		g_autoptr(GError) error = NULL;
		KxCloneWish w = wish();

		point.working_set = NULL;
		made = kx_clone_xml(xml, &w, &error);
		assert_null(made);
		assert_true(g_error_matches(error, KX_PLAN_ERROR, KX_PLAN_ERROR_FILE));
		assert_non_null(strstr(error->message, cases[i].name));
	}
}

static void placed(void **state)
{
	KxCloneWish w = wish();
	g_autofree char *xml = NULL;

	point.memory_bytes = 1ull << 30;
	placement = (KxPlacing){ .split = TRUE,
				 .fast_share = { 1, 5 },
				 .fast_node = 2,
				 .slow_node = 5,
				 .cpus = kx_placing_cpus("0,3,10-12"),
				 .emulator_cpus = g_strdup("1") };
	w.index = 1; /* the second VM: CPUs 10 and 11 */
	xml = kx_clone_xml(template, &w, NULL);
	assert_non_null(xml);
	/* a fifth of 512 huge pages is 102.4 of them */
	assert_says(xml, "//numa/cell[@id='0']/@memory", "208896");
	assert_says(xml, "//numa/cell[@id='1']/@memory", "839680");
	assert_says(xml, "//numa/cell[@id='0']/@cpus", "0-1");
	assert_says(xml, "count(//numa/cell[@id='1']/@cpus)", "0");
	assert_says(xml, "//numatune/memnode[@cellid='0' and @mode='strict']/@nodeset", "2");
	assert_says(xml, "//numatune/memnode[@cellid='1' and @mode='strict']/@nodeset", "5");
	assert_says(xml, "count(//cputune/vcpupin)", "2");
	assert_says(xml, "//cputune/vcpupin[@vcpu='0']/@cpuset", "10");
	assert_says(xml, "//cputune/vcpupin[@vcpu='1']/@cpuset", "11");
	assert_says(xml, "//cputune/emulatorpin/@cpuset", "1");
	kx_placing_clear(&placement);
}

static void cpu_lists(void **state)
{
	static const char *const bad[] = { "",
					   ",",
					   "1-",
					   "-1",
					   "3-1",
					   "1-2-3",
					   "1,1",
					   "0-99999999",
					   "x",
					   "1,0-2",
					   "18446744073709551616" };
	g_autoptr(GArray) cpus = kx_placing_cpus("7, 1-3");

	assert_int_equal(cpus->len, 4);
	assert_int_equal(g_array_index(cpus, guint, 0), 7);
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_null(kx_placing_cpus(bad[i]));
}

#define DISK(inside) \
	"<domain><name>x</name><devices><disk type='file'>" inside "</disk></devices></domain>"
#define SOURCE "<source file='/images/base.qcow2'/><target dev='vda'/>"

/* Templates that are refused, and why. */
#define FILESYSTEM(inside)                                                                    \
	"<domain><name>x</name><devices><filesystem type='mount'>" inside "<target dir='d'/>" \
	"</filesystem></devices></domain>"

#define DEVICES(inside) "<domain><name>x</name><devices>" inside "</devices></domain>"

#define CHANNEL(path) \
	DEVICES("<channel type='unix'><source mode='bind' path='" path "'/></channel>")

#define OS(inside) "<domain><name>x</name><os>" inside "</os></domain>"

#define ARGUMENTS(inside)                                                             \
	"<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><name>x</name>" \
	"<q:commandline>" inside "</q:commandline></domain>"

static const struct {
	const char *xml, *says;
} refused[] = {
	{ "", "no XML" },
	{ "<domain>", "no XML" },
	{ "<network><name>x</name></network>", "no <domain>" },
	{ "<domain/>", "<name>" },
	{ "<domain><name>a/b</name></domain>", "<name>" },
	{ "<domain><name>x</name><vcpu>many</vcpu></domain>", "<vcpu>" },
	{ "<domain><name>x</name><vcpu>0</vcpu></domain>", "<vcpu>" },
	{ "<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain><name>x</name></domain>",
	  "document type" },
	{ "<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><domain><name>&b;</name></domain>",
	  "document type" },
	{ "<domain><name>x</name><os><nvram>/vars.fd</nvram></os></domain>", "<nvram>" },
	{ "<domain><name>x</name><os><nvram type='file'><source file='/vars.fd'/></nvram></os>"
	  "</domain>",
	  "<nvram>" },
	{ "<domain><name>x</name><os><nvram type='network'><source protocol='nbd' name='vars'/>"
	  "</nvram></os></domain>",
	  "<nvram>" },
	{ "<domain><name>x</name><devices><filesystem type='mount'><source dir='/srv'/><target "
	  "dir='share'/></filesystem></devices></domain>",
	  "<filesystem> share" },
	{ "<domain><name>x</name><devices><filesystem><driver type='virtiofs'/><source "
	  "socket='/run/fs.sock'/><target dir='share'/></filesystem></devices></domain>",
	  "<filesystem> share" },
	{ DISK(SOURCE), "disk vda would be written by every clone" },
	{ "<domain><name>x</name><devices><serial type='file'><source path='/var/log/prod.log'/>"
	  "</serial></devices></domain>",
	  "<serial> has the file /var/log/prod.log" },
	{ "<domain><name>x</name><devices><channel type='unix'><source mode='bind' "
	  "path='/run/prod.sock'/></channel></devices></domain>",
	  "<channel> has the file /run/prod.sock" },
	{ "<domain><name>x</name><devices><memory model='nvdimm'><source><path>/img/pmem0</path>"
	  "</source></memory></devices></domain>",
	  "<memory> has the file /img/pmem0" },
	{ DEVICES("<shmem name='common' role='peer'><model type='ivshmem-plain'/></shmem>"),
	  "<shmem> has the memory common, which every clone would use" },
	{ DEVICES("<shmem name='{name}'><model type='ivshmem-doorbell'/><server "
		  "path='/run/ivshmem'/>"
		  "</shmem>"),
	  "<shmem> has the socket /run/ivshmem" },
	{ DISK(SOURCE "<shareable/>"), "disk vda would be written by every clone" },
	{ DEVICES("<rng model='virtio'><backend model='egd' type='unix'><source mode='bind' "
		  "path='/run/egd'/></backend></rng>"),
	  "<rng> has the file /run/egd" },
	{ DEVICES("<tpm><backend type='emulator'><source type='dir' "
		  "path='/srv/tpm'/></backend></tpm>"),
	  "<tpm> has the file /srv/tpm" },
	{ DEVICES("<interface type='vhostuser'><source type='unix' path='/run/vhu' mode='client'/>"
		  "</interface>"),
	  "<interface> has the socket /run/vhu" },
	{ DEVICES("<audio id='1' type='file' path='/tmp/a.wav'/>"),
	  "<audio> has the file /tmp/a.wav" },
	{ "<domain><name>x</name><os><varstore path='/vars.json'/></os></domain>",
	  "<varstore> has the file /vars.json" },
	{ OS("<loader readonly='no' type='pflash'>/ovmf.fd</loader>"),
	  "<loader> would be written" },
	{ OS("<loader type='pflash'>/ovmf.fd</loader>"), "<loader> would be written" },
	/* Only what names the source says whose it is. */
	{ DISK("<source file='/images/base.qcow2' startupPolicy='{name}'/><target dev='vda'/>"),
	  "disk vda would be written by every clone" },
	{ DISK("<source file='/images/base.qcow2' dev='{name}'/><target dev='vda'/>"),
	  "disk vda would be written by every clone" },
	{ DISK("<source pool='images' volume='base' index='{uuid}'/><target dev='vda'/>"),
	  "disk vda would be written by every clone" },
	{ FILESYSTEM("<source dir='/srv' x='{name}'/>"), "<filesystem> d" },
	{ DEVICES("<disk type='vhostuser'><source type='unix' path='/run/vhu'/><readonly/></disk>"),
	  "<disk> has the socket /run/vhu" },
	{ DEVICES("<filesystem><source socket='/run/fs.sock'/><readonly/></filesystem>"),
	  "<filesystem> has the socket /run/fs.sock" },
	{ DEVICES("<pstore backend='acpi-erst'><path>/srv/erst</path></pstore>"),
	  "<pstore> has the file /srv/erst" },
	{ DEVICES("<serial type='pty'><log file='/var/log/console.log'/></serial>"),
	  "<serial> has the file /var/log/console.log" },
	{ DEVICES("<interface type='user'><backend type='passt' logFile='/var/log/passt'/>"
		  "</interface>"),
	  "<interface> has the file /var/log/passt" },
	{ DEVICES("<channel type='unix'><source mode='bind' path='/srv/channel/a.sock'/>"
		  "</channel>"),
	  "<channel> has the file /srv/channel/a.sock" },
	{ ARGUMENTS("<q:arg value='-drive'/><q:arg value='file=/images/base.qcow2,if=virtio'/>"),
	  "<qemu:commandline> has -drive file=/images/base.qcow2,if=virtio" },
	{ ARGUMENTS("<q:arg value='-snapshot'/><q:arg value='-chardev'/><q:arg "
		    "value='socket,id=c,path=c.sock,server=on'/>"),
	  "<qemu:commandline> has -chardev" },
	{ ARGUMENTS("<q:arg value='-object'/><q:arg "
		    "value='memory-backend-file,id=m,size=1G,mem-path=/dev/shm/m,share=on'/>"),
	  "<qemu:commandline> has -object" },
	{ ARGUMENTS("<q:arg value='-D'/><q:arg value='/var/log/qemu.log'/>"),
	  "<qemu:commandline> has -D /var/log/qemu.log" },
};

/* What one VM at a time can have: refused if several clones run at a time, and only then. */
static void one_at_a_time(void **state)
{
	static const char *const devices[] = {
		"<hostdev mode='subsystem' type='pci' managed='yes'><source/></hostdev>",
		"<interface type='hostdev'><source/></interface>",
		"<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
		"<input type='passthrough'><source evdev='/dev/input/event1'/></input>",
		"<lease><key>k</key></lease>",
		"<serial type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/></serial>",
		"<interface type='server'><source address='127.0.0.1' port='5558'/></interface>",
		"<interface type='udp'><source address='10.0.0.1' port='1'><local "
		"address='10.0.0.2' "
		"port='2'/></source></interface>",
		"<interface type='direct'><source dev='eth0' mode='passthrough'/></interface>",
		"<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>",
		"<interface type='user'><backend type='passt'/><portForward proto='tcp'><range "
		"start='2022' to='22'/></portForward></interface>",
		"<disk type='nvme'><source type='pci' managed='yes' namespace='1'/><readonly/>"
		"</disk>",
		"<smartcard mode='passthrough' type='tcp'><source mode='bind' host='127.0.0.1' "
		"service='2001'/></smartcard>",
		"</devices><q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
		"<q:arg value='-netdev'/><q:arg value='user,id=n,hostfwd=tcp::2222-:22'/>"
		"</q:commandline><devices>",
		"</devices><q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
		"<q:arg value='-s'/></q:commandline><devices>",
		"</devices><q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
		"<q:arg value='-display'/><q:arg value='vnc=127.0.0.1:1'/></q:commandline>"
		"<devices>",
		"</devices><q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
		"<q:arg value='-device'/><q:arg value='vhost-vsock-pci,guest-cid=7'/>"
		"</q:commandline><devices>",
	};
	KxCloneWish w = wish();

	for (guint i = 0; i < G_N_ELEMENTS(devices); i++) {
		g_autofree char *xml = g_strdup_printf(DEVICES("%s"), devices[i]);
		g_autoptr(GError) error = NULL;

		point.vms = 1;
		g_free(clone_of(xml));
		point.vms = 2;
		assert_null(kx_clone_xml(xml, &w, &error));
		if (!strstr(error->message, "2 clones are to run at a time"))
			fail_msg("'%s' says '%s'", xml, error->message);
	}
	/* A connection to somebody who listens can be made twice. */
	g_free(clone_of(DEVICES(
		"<serial type='tcp'><source mode='connect' host='h' service='1'/></serial>")));
	g_free(clone_of(DEVICES(
		"<interface type='direct'><source dev='eth0' mode='bridge'/></interface>")));
	g_free(clone_of(ARGUMENTS("<q:arg value='-cpu'/><q:arg value='host,+vmx'/><q:arg "
				  "value='-device'/><q:arg value='vmcoreinfo'/>")));
}

/* What libvirt chooses anew: two clones, and the VM of which the template is the XML, run side by side. */
static void renewed(void **state)
{
	g_autofree char *xml = clone_of(
		DEVICES("<graphics type='vnc' port='5901' autoport='no' websocket='5700' "
			"listen='127.0.0.1'>"
			"<listen type='address' address='127.0.0.1'/></graphics>"
			"<graphics type='spice' port='5902' tlsPort='5903'/>"
			"<graphics type='vnc' socket='/run/vnc.sock'><listen type='socket' "
			"socket='/run/vnc.sock'/></graphics>"
			"<graphics type='sdl' display=':0'/>"
			"<vsock model='virtio'><cid auto='no' address='3'/></vsock>"));
	g_autofree char *automatic = clone_of(DEVICES("<vsock><cid auto='yes'/></vsock>"));

	assert_says(xml, "count(//graphics/@port) + count(//graphics/@tlsPort)", "0");
	assert_says(xml, "//graphics[1]/@autoport", "yes");
	assert_says(xml, "//graphics[1]/@websocket", "-1");
	assert_says(xml, "//graphics[1]/listen/@address", "127.0.0.1");
	assert_says(xml, "//graphics[2]/@autoport", "yes");
	assert_says(xml, "count(//@socket)", "0");
	assert_says(xml, "//graphics[3]/listen/@type", "socket");
	assert_says(xml, "count(//graphics[4]/@autoport)", "0");
	assert_says(xml, "//graphics[4]/@display", ":0");
	assert_says(xml, "//vsock/cid/@auto", "yes");
	assert_says(xml, "count(//vsock/cid/@address)", "0");
	assert_says(automatic, "//vsock/cid/@auto", "yes");
}

static void refuses(void **state)
{
	static const char *const fine[] = {
		DISK(SOURCE "<transient/>"), DISK(SOURCE "<readonly/>"),
		DISK("<source file='/images/{uuid}'/>"), DISK("<target dev='vda'/>"),
		"<domain><name>x</name><os><nvram>/{name}.fd</nvram>"
		"</os></domain>",
		"<domain><name>x</name><os><nvram type='file'><source "
		"file='/{name}.fd'/></nvram></os></domain>",
		FILESYSTEM("<source dir='/srv'/><readonly/>"),
		FILESYSTEM("<source dir='/srv/{name}'/>"),
		"<domain><name>x</name><devices><filesystem "
		"type='ram'><source usage='1024'/></filesystem>"
		"</devices></domain>",
		DEVICES("<shmem name='{name}'/>"), DEVICES("<shmem name='of-{uuid}' role='peer'/>"),
		DEVICES("<rng><backend model='random'>/dev/urandom"
			"</backend></rng>"),
		DEVICES("<tpm><backend type='emulator'/></tpm>"),
		DEVICES("<console type='pty' tty='/dev/pts/3'><source "
			"path='/dev/pts/3'/></console>"),
		OS("<loader readonly='yes' type='pflash'>/o.fd"
		   "</loader>"),
		OS("<loader readonly='no' type='pflash'>/{name}.fd"
		   "</loader>"),
		OS("<loader type='pflash' secure='yes'/>"),
		OS("<loader type='rom'>/bios.bin</loader>"),
		DISK("<source pool='images' volume='{name}'/>"),
		DISK("<source pool='{name}' volume='root'/>"),
		/* The sockets of a running VM's agent, as libvirts of several ages place them. */
		CHANNEL("/var/lib/libvirt/qemu/channel/target/"
			"domain-3-vm1/org.qemu.guest_agent.0"),
		CHANNEL("/run/libvirt/qemu/channel/3-vm1/"
			"org.qemu.guest_agent.0"),
		CHANNEL("/run/user/1000/libvirt/qemu/run/channel/3-vm1/"
			"org.qemu.guest_agent.0"),
		CHANNEL("/home/u/.config/libvirt/qemu/channel/target/"
			"domain-3-vm1/org.qemu.guest_agent.0"),
		DEVICES("<serial type='pty'><log file='/log/{name}'/>"
			"</serial>"),
		ARGUMENTS("<q:arg value='-drive'/><q:arg "
			  "value='file=/images/{name}.img'/>"),
		ARGUMENTS("<q:arg value='-drive'/><q:arg "
			  "value='file=/data.img,readonly=on'/>"),
		ARGUMENTS("<q:arg value='-fw_cfg'/><q:arg "
			  "value='name=opt/x,file=/srv/x'/>")
	};
	KxCloneWish w = wish();

	for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(kx_clone_xml(refused[i].xml, &w, &error));
		if (!strstr(error->message, refused[i].says) ||
		    !g_str_has_prefix(error->message, "[vm] template: "))
			fail_msg("'%s' says '%s'", refused[i].xml, error->message);
	}
	for (guint i = 0; i < G_N_ELEMENTS(fine); i++)
		g_free(clone_of(fine[i]));
}

/* Only the file that belongs to the clone is removed after the clone has ended. */
static void variables(void **state)
{
	static const struct {
		const char *os, *file; /* NULL: none */
	} cases[] = {
		{ "", NULL },
		{ "<nvram/>", NULL },
		{ "<nvram template='/usr/vars.fd'>/var/nvram/web-1_VARS.fd</nvram>",
		  "/var/nvram/web-1_VARS.fd" },
		{ "<nvram type='file'><source file='/var/" UUID ".fd'/></nvram>",
		  "/var/" UUID ".fd" },
		{ "<nvram type='block'><source dev='/dev/vars'/></nvram>", NULL },
		{ "<nvram>/var/nvram/other_VARS.fd</nvram>", NULL },
		{ "<nvram>web-1.fd</nvram>", NULL },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *xml = g_strdup_printf("<domain><os>%s</os></domain>", cases[i].os);
		g_autofree char *file = kx_clone_nvram(xml, "web-1", UUID);

		if (g_strcmp0(file, cases[i].file) != 0)
			fail_msg("%s: %s", xml, file ? file : "none");
	}
	assert_null(kx_clone_nvram("no XML", "web-1", UUID));
}

static void no_size_for_cells(void **state)
{
	KxCloneWish w = wish();
	g_autoptr(GError) error = NULL;

	point.memory_bytes = 1ull << 30;
	assert_null(kx_clone_xml("<domain><name>x</name><cpu><numa><cell id='0' memory='9'/></numa>"
				 "</cpu></domain>",
				 &w, &error));
	assert_non_null(strstr(error->message, "NUMA cells"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(identity, set_up),
		cmocka_unit_test_setup(marker, set_up),
		cmocka_unit_test_setup(size, set_up),
		cmocka_unit_test_setup(placeholders, set_up),
		cmocka_unit_test_setup(unknown_placeholders, set_up),
		cmocka_unit_test_setup(placed, set_up),
		cmocka_unit_test_setup(cpu_lists, set_up),
		cmocka_unit_test_setup(refuses, set_up),
		cmocka_unit_test_setup(one_at_a_time, set_up),
		cmocka_unit_test_setup(renewed, set_up),
		cmocka_unit_test_setup(variables, set_up),
		cmocka_unit_test_setup(no_size_for_cells, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
