// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page: as it was (tests/golden/page.main.html, from page.json and page-compare.json; UPDATE_GOLDEN=1 writes it anew), with the
 * values of the JSON, and with the names of hostile VMs as text. Pages are well-formed XML, so a strict parser reads them here.
 */
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <json-glib/json-glib.h>

#include "html/page.h"
#include "html/write.h"
#include "report/json.h"
#include "report/row.h"

static char *read_file(const char *path)
{
	g_autoptr(GError) error = NULL;
	char *text;

	if (!g_file_get_contents(path, &text, NULL, &error))
		fail_msg("%s", error->message);
	return text;
}

static KxReport *load_report(const char *name)
{
	g_autofree char *path = g_strdup_printf("tests/golden/%s.json", name);
	g_autofree char *json = read_file(path);
	g_autoptr(GError) error = NULL;
	KxReport *r = kx_report_from_json(json, &error);

	if (!r)
		fail_msg("%s: %s", path, error->message);
	return r;
}

static KxComparison *load_comparison(void)
{
	g_autofree char *json = read_file("tests/golden/page-compare.json");
	g_autoptr(GError) error = NULL;
	KxComparison *c = kx_comparison_from_json(json, &error);

	if (!c)
		fail_msg("%s", error->message);
	return c;
}

/* A page that is parsed. */
typedef struct {
	xmlDocPtr doc;
	xmlXPathContextPtr context;
} Page;

static Page parse(const char *html)
{
	Page page = { .doc = xmlReadMemory(html, (int)strlen(html), NULL, NULL,
					   XML_PARSE_NONET | XML_PARSE_HUGE) };

	assert_non_null(page.doc);
	page.context = xmlXPathNewContext(page.doc);
	return page;
}

static void page_clear(Page *page)
{
	xmlXPathFreeContext(page->context);
	xmlFreeDoc(page->doc);
}

static xmlXPathObjectPtr find(const Page *page, const char *format, ...) G_GNUC_PRINTF(2, 3);
static xmlXPathObjectPtr find(const Page *page, const char *format, ...)
{
	g_autofree char *path = NULL;
	xmlXPathObjectPtr found;
	va_list args;

	va_start(args, format);
	path = g_strdup_vprintf(format, args);
	va_end(args);
	found = xmlXPathEvalExpression((const xmlChar *)path, page->context);
	if (!found)
		fail_msg("%s is no XPath", path);
	return found;
}

static int count(const Page *page, const char *path)
{
	xmlXPathObjectPtr found = find(page, "%s", path);
	int n = found->nodesetval ? found->nodesetval->nodeNr : 0;

	xmlXPathFreeObject(found);
	return n;
}

/* --- as it was -------------------------------------------------------------------------------------------------------- */

/* Without the head, whose style and script are files of their own. */
static char *main_of(const char *html)
{
	const char *from = strstr(html, "<main>"), *until = strstr(html, "</main>");

	assert_true(from && until);
	return g_strndup(from, (gsize)(until - from) + strlen("</main>\n"));
}

static void test_golden(void **state)
{
	static const char path[] = "tests/golden/page.main.html";
	g_autoptr(KxReport) r = load_report("page");
	g_autoptr(KxComparison) c = load_comparison();
	g_autofree char *html = kx_page_html(&(KxPageOf){ .report = r, .comparison = c });
	g_autofree char *again = kx_page_html(&(KxPageOf){ .report = r, .comparison = c });
	g_autofree char *shown = main_of(html);
	g_autofree char *expected = NULL;

	assert_string_equal(html, again);
	if (g_getenv("UPDATE_GOLDEN")) {
		assert_true(g_file_set_contents(path, shown, -1, NULL));
		return;
	}
	expected = read_file(path);
	if (!g_str_equal(shown, expected))
		fail_msg("%s differs; diff it with what UPDATE_GOLDEN=1 writes", path);
}

/* --- the values of the JSON ------------------------------------------------------------------------------------------- */

static double number(xmlNodePtr node, const char *name)
{
	xmlChar *text = xmlGetProp(node, (const xmlChar *)name);
	double value = text ? g_ascii_strtod((const char *)text, NULL) : NAN;

	xmlFree(text);
	return value;
}

static gboolean same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static double member(JsonObject *o, const char *key)
{
	return json_object_has_member(o, key) ? json_object_get_double_member(o, key) : NAN;
}

static gboolean has_key(xmlNodePtr node, const char *key)
{
	xmlChar *own = xmlGetProp(node, (const xmlChar *)"data-key");
	gboolean has = own && g_str_equal(own, key);

	xmlFree(own);
	return has;
}

/* All of these places in the page that show the figure show the same as the JSON. */
static guint check_figure(xmlNodeSetPtr nodes, const char *key, JsonObject *figure,
			  const char *what)
{
	guint n = 0;

	for (int i = 0; nodes && i < nodes->nodeNr; i++) {
		xmlNodePtr node = nodes->nodeTab[i];
		xmlChar *na, *text;

		if (!has_key(node, key))
			continue;
		n++;
		na = xmlGetProp(node, (const xmlChar *)"data-na");
		text = xmlNodeGetContent(node);
		if (json_object_has_member(figure, "na")) {
			assert_non_null(na);
			assert_string_equal(na, json_object_get_string_member(figure, "na"));
			assert_string_equal(text, "n/a");
		} else if (na || !same(number(node, "data-value"), member(figure, "value")) ||
			   !same(number(node, "data-low"), member(figure, "low")) ||
			   !same(number(node, "data-high"), member(figure, "high"))) {
			fail_msg("%s is not what the JSON has", what);
		} else {
			assert_true(*text != 0 && strcmp((char *)text, "n/a") != 0);
		}
		xmlFree(na);
		xmlFree(text);
	}
	return n;
}

static guint check_row(const Page *page, const char *scope, JsonObject *row)
{
	const char *label = json_object_get_string_member(row, "label");
	g_autoptr(GList) keys = json_object_get_members(row);
	/* Once for all keys: each search goes through the whole page. */
	xmlXPathObjectPtr found = find(
		page, "//*[@data-scope='%s']//*[@data-row=\"%s\"]//*[@data-key]", scope, label);
	guint n = 0;

	for (GList *k = keys; k; k = k->next) {
		JsonNode *node = json_object_get_member(row, k->data);
		g_autofree char *what =
			g_strdup_printf("%s, %s, %s", scope, label, (char *)k->data);

		if (JSON_NODE_HOLDS_OBJECT(node))
			n += check_figure(found->nodesetval, k->data, json_node_get_object(node),
					  what);
	}
	xmlXPathFreeObject(found);
	return n;
}

static guint check_rows(const Page *page, const char *scope, JsonObject *o)
{
	JsonArray *rows = json_object_get_array_member(o, "rows");
	guint n = 0;

	for (guint i = 0; i < json_array_get_length(rows); i++) {
		guint shown = check_row(page, scope, json_array_get_object_element(rows, i));

		assert_true(shown > 10); /* pictures and tables */
		n += shown;
	}
	return n;
}

static JsonObject *parse_json(JsonParser *parser, const char *json)
{
	assert_true(json_parser_load_from_data(parser, json, -1, NULL));
	return json_node_get_object(json_parser_get_root(parser));
}

static void check_report(const Page *page, const KxReport *r)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	g_autofree char *json = kx_report_to_json(r);
	JsonArray *vms = json_object_get_array_member(parse_json(parser, json), "vms");

	for (guint i = 0; i < json_array_get_length(vms); i++) {
		g_autofree char *scope = g_strdup_printf("vm-%u", i);

		check_rows(page, scope, json_array_get_object_element(vms, i));
	}
}

static void test_values(void **state)
{
	static const char *const names[] = {
		"page",		"two-vms",  "lab-amd",	    "lab-amd-log", "lab-intel-log",
		"parts",	"truth",    "names",	    "heat",	   "vm-gone",
		"paused-guest", "one-pass", "lost-samples",
	};

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(KxReport) r = load_report(names[i]);
		g_autofree char *html = kx_page_html(&(KxPageOf){ .report = r });
		Page page = parse(html);

		check_report(&page, r);
		page_clear(&page);
	}
}

static void test_compared_values(void **state)
{
	g_autoptr(KxComparison) c = load_comparison();
	g_autofree char *html = kx_page_html(&(KxPageOf){ .comparison = c });
	g_autofree char *json = kx_comparison_to_json(c);
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonObject *o = parse_json(parser, json);
	Page page = parse(html);
	guint figures = 0, n = check_rows(&page, "comparison-0", o);

	/* Each figure at least once for each setting. */
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++)
		figures++;
	assert_true(n >= figures * c->settings->len);
	page_clear(&page);
}

/* Each column of the text's tables, with further figures in a cell. */
static void test_all_columns(void **state)
{
	g_autoptr(KxReport) r = load_report("parts");
	g_autofree char *html = kx_page_html(&(KxPageOf){ .report = r });
	g_autoptr(GPtrArray) rows = kx_vm_rows(r->vms->pdata[0], NULL);
	Page page = parse(html);

	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		xmlXPathObjectPtr found;
		gboolean has = FALSE;

		for (guint i = 0; i < rows->len; i++)
			has |= kx_row_has(rows->pdata[i], f->part);
		if (!f->key || !f->title || !has || f->flags & KX_IF_ANY)
			continue;
		found = find(&page, "//table//*[@data-key='%s']", f->key);
		if (!found->nodesetval || !found->nodesetval->nodeNr)
			fail_msg("%s is in no table", f->key);
		xmlXPathFreeObject(found);
	}
	page_clear(&page);
}

/* Every reason for which something is not available is a footnote, and every link leads to one. */
static void test_footnotes(void **state)
{
	g_autoptr(KxReport) r = load_report("page");
	g_autofree char *html = kx_page_html(&(KxPageOf){ .report = r });
	Page page = parse(html);
	xmlXPathObjectPtr found = find(&page, "//a[@class='note']");

	assert_true(found->nodesetval && found->nodesetval->nodeNr > 10);
	for (int i = 0; i < found->nodesetval->nodeNr; i++) {
		xmlNodePtr link = found->nodesetval->nodeTab[i];
		xmlChar *to = xmlGetProp(link, (const xmlChar *)"href");
		xmlChar *words = xmlGetProp(link, (const xmlChar *)"title");
		xmlXPathObjectPtr note = find(&page, "//ol/li[@id='%s']", (char *)to + 1);
		xmlChar *text;

		assert_int_equal(note->nodesetval->nodeNr, 1);
		text = xmlNodeGetContent(note->nodesetval->nodeTab[0]);
		assert_string_equal(text, words);
		xmlFree(text);
		xmlFree(to);
		xmlFree(words);
		xmlXPathFreeObject(note);
	}
	xmlXPathFreeObject(found);
	/* Nothing that is n/a has digits, and nothing that is n/a looks like a number. */
	assert_int_equal(count(&page, "//*[@data-na][@data-value]"), 0);
	assert_int_equal(count(&page, "//*[@data-na][. != 'n/a']"), 0);
	page_clear(&page);
}

/* --- what others wrote ------------------------------------------------------------------------------------------------ */

static void test_hostile(void **state)
{
	g_autoptr(KxReport) r = load_report("page");
	g_autoptr(KxComparison) c = load_comparison();
	KxVmReport *v = r->vms->pdata[0];
	g_autofree char *html = NULL;
	Page page;
	int scripts;

	kx_set_text(&v->ended, "<img src=x onerror=alert(1)> \x01\x1b[31m \xef\xbf\xbf");
	v->attached = FALSE;
	kx_set_text(&r->cpu_model, "]]><script>alert(2)</script>");
	kx_set_text(&((KxAccessMap *)v->over_time->maps->pdata[1])->options, "</script><script>");
	html = kx_page_html(&(KxPageOf){ .report = r, .comparison = c });
	page = parse(html);
	scripts = count(&page, "//script");
	/* One of ours, and the data of three maps. */
	assert_int_equal(scripts, count(&page, "//script[@type='application/json']") + 1);
	assert_int_equal(count(&page, "//img"), 0);
	assert_int_equal(count(&page, "//b"), 0);
	assert_int_equal(count(&page, "//@*[starts-with(name(), 'on')]"), 0);
	assert_true(count(&page, "//bdi[starts-with(., '</script><b title=\"x\">&amp;')]") > 1);
	assert_true(count(&page, "//td[contains(., '<img src=x onerror=alert(1)>')]") == 1);
	/* Nothing is loaded: each address leads into the page, or is the empty icon. */
	assert_int_equal(count(&page, "//@src"), 0);
	assert_int_equal(count(&page, "//@href[not(starts-with(., '#')) and . != 'data:,']"), 0);
	page_clear(&page);
}

static void test_data_is_text(void **state)
{
	g_autofree char *html = NULL;
	KxHtml *h = kx_html_new();

	kx_html_open(h, "html", NULL);
	kx_html_data(h, "x", "{\"a\": \"</script><!-- &amp; ]]>\"}");
	kx_html_close(h);
	html = kx_html_finish(h);
	assert_non_null(strstr(html, "{\"a\": \"\\u003c/script\\u003e\\u003c!-- \\u0026amp; "
				     "]]\\u003e\"}</script>"));
}

/* Reports of all kinds make a page: old ones, empty ones, those without anything to draw. */
static void test_all_reports(void **state)
{
	static const char *const names[] = { "no-vms", "nothing-sampled", "no-truth-real",
					     "placement", "dirty-log" };

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(KxReport) r = load_report(names[i]);
		g_autofree char *html = kx_page_html(&(KxPageOf){ .report = r });
		Page page = parse(html);

		assert_int_equal(count(&page, "//section"), 11);
		/* Every section says something. */
		assert_int_equal(count(&page, "//section[count(*) < 2]"), 0);
		page_clear(&page);
	}
}

/* The answer says of each VM whose vCPUs are emulated that its times are, also on a real host. */
static void test_emulated_vm(void **state)
{
	static const char says[] = "//p[contains(., ': a sample costs') and "
				   "contains(., '; QEMU TCG emulates the vCPUs, so ')]";

	for (guint i = 0; i < 2; i++) {
		g_autoptr(KxReport) r = load_report("page");
		g_autofree char *html = NULL;
		Page page;

		kx_set_text(&r->hardware, "bare metal");
		if (i)
			kx_set_text(&((KxVmReport *)r->vms->pdata[1])->emulated_by, "QEMU TCG");
		html = kx_page_html(&(KxPageOf){ .report = r });
		page = parse(html);
		assert_int_equal(count(&page, says), i);
		assert_int_equal(count(&page, "//p[contains(., 'this host is emulated')]"), 0);
		assert_int_equal(count(&page, "//*[text() = 'times of VMs']"), i);
		assert_int_equal(count(&page, "//*[text() = 'paging']"), r->vms->len - i);
		page_clear(&page);
	}
}

/* --- pictures --------------------------------------------------------------------------------------------------------- */

/* The cells of the map, as the script gets them. */
static void test_map_data(void **state)
{
	g_autoptr(KxReport) r = load_report("page");
	const KxVmReport *v = r->vms->pdata[0];
	const KxAccessMap *m = v->over_time->maps->pdata[1];
	g_autofree char *html = kx_page_html(&(KxPageOf){ .report = r });
	g_autoptr(JsonParser) parser = json_parser_new();
	Page page = parse(html);
	xmlXPathObjectPtr found = find(&page, "//script[@id='vm-0-map-1']");
	xmlChar *text;
	JsonObject *o;

	assert_int_equal(found->nodesetval->nodeNr, 1);
	text = xmlNodeGetContent(found->nodesetval->nodeTab[0]);
	o = parse_json(parser, (const char *)text);
	assert_int_equal(json_array_get_length(json_object_get_array_member(o, "columns")),
			 m->columns_nr);
	assert_int_equal(json_array_get_length(json_object_get_array_member(o, "rows")),
			 m->rows->len);
	for (guint i = 0; i < m->rows->len; i++) {
		JsonObject *row =
			json_array_get_object_element(json_object_get_array_member(o, "rows"), i);
		double factor = json_object_get_double_member(row, "factor");
		const KxAccessRow *expected = kx_access_row(m, i);

		for (guint k = 0; k < m->columns_nr; k++)
			assert_true(fabs(factor * (double)kx_access_cell(expected, k) -
					 kx_access_heat(m, expected, k)) < 1e-12);
	}
	xmlFree(text);
	xmlXPathFreeObject(found);
	page_clear(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),		cmocka_unit_test(test_values),
		cmocka_unit_test(test_compared_values), cmocka_unit_test(test_all_columns),
		cmocka_unit_test(test_footnotes),	cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_data_is_text),	cmocka_unit_test(test_all_reports),
		cmocka_unit_test(test_emulated_vm),	cmocka_unit_test(test_map_data),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
