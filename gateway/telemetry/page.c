#include "telemetry/page.h"

/* Help texts escape \ and line feeds; label values also escape the quote. */
static void page_put_escaped(struct gw_buffer *page, struct gw_slice text, bool is_label)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '\n') {
            gw_buffer_put_literal(page, "\\n");
            continue;
        }
        if (c == '\\' || (is_label && c == '"'))
            gw_buffer_put_char(page, '\\');
        gw_buffer_put_char(page, c);
    }
}

void gw_page_begin(struct gw_buffer *page, const char *name, const char *type, const char *help)
{
    gw_buffer_put_literal(page, "# HELP ");
    gw_buffer_put_string(page, name);
    gw_buffer_put_char(page, ' ');
    page_put_escaped(page, gw_slice_of_string(help), false);
    gw_buffer_put_literal(page, "\n# TYPE ");
    gw_buffer_put_string(page, name);
    gw_buffer_put_char(page, ' ');
    gw_buffer_put_string(page, type);
    gw_buffer_put_char(page, '\n');
}

static void page_put_millionths(struct gw_buffer *page, uint64_t millionths)
{
    gw_buffer_put_uint(page, millionths / 1000000);
    uint64_t rest = millionths % 1000000;
    if (!rest)
        return;
    char digits[6];
    for (unsigned i = sizeof(digits); i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    size_t length = sizeof(digits);
    while (digits[length - 1] == '0')
        length--;
    gw_buffer_put_char(page, '.');
    gw_buffer_put(page, digits, length);
}

/* Writes name, suffix and labels, and the space before the value; the label `le` where it has a bound. */
static void page_put_name(struct gw_buffer *page, const char *name, const char *suffix, struct gw_page_labels labels,
                          struct gw_slice le)
{
    gw_buffer_put_string(page, name);
    gw_buffer_put_string(page, suffix);
    char before = '{';
    for (unsigned i = 0; i < labels.count; i++) {
        gw_buffer_put_char(page, before);
        gw_buffer_put_string(page, labels.items[i].name);
        gw_buffer_put_literal(page, "=\"");
        page_put_escaped(page, labels.items[i].value, true);
        gw_buffer_put_char(page, '"');
        before = ',';
    }
    if (le.at) {
        gw_buffer_put_char(page, before);
        gw_buffer_put_literal(page, "le=\"");
        gw_buffer_put_slice(page, le);
        gw_buffer_put_char(page, '"');
    }
    gw_buffer_put_string(page, labels.count || le.at ? "} " : " ");
}

void gw_page_put_uint(struct gw_buffer *page, const char *name, struct gw_page_labels labels, uint64_t value)
{
    page_put_name(page, name, "", labels, GW_NO_SLICE);
    gw_buffer_put_uint(page, value);
    gw_buffer_put_char(page, '\n');
}

void gw_page_put_millionths(struct gw_buffer *page, const char *name, struct gw_page_labels labels, uint64_t millionths)
{
    page_put_name(page, name, "", labels, GW_NO_SLICE);
    page_put_millionths(page, millionths);
    gw_buffer_put_char(page, '\n');
}

void gw_page_put_histogram(struct gw_buffer *page, const char *name, struct gw_page_labels labels,
                           const struct gw_histogram_sum *sum, unsigned scale)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < GW_HISTOGRAM_BUCKETS; i++) {
        char memory[32];
        struct gw_buffer bound = gw_buffer_over(memory, sizeof(memory));
        page_put_millionths(&bound, gw_histogram_bounds_us[i] / scale);
        count += sum->buckets[i];
        page_put_name(page, name, "_bucket", labels, gw_buffer_slice(&bound));
        gw_buffer_put_uint(page, count);
        gw_buffer_put_char(page, '\n');
    }
    page_put_name(page, name, "_bucket", labels, GW_SLICE("+Inf"));
    gw_buffer_put_uint(page, sum->count);
    gw_buffer_put_char(page, '\n');
    page_put_name(page, name, "_sum", labels, GW_NO_SLICE);
    page_put_millionths(page, sum->sum_us / scale);
    gw_buffer_put_char(page, '\n');
    page_put_name(page, name, "_count", labels, GW_NO_SLICE);
    gw_buffer_put_uint(page, sum->count);
    gw_buffer_put_char(page, '\n');
}
