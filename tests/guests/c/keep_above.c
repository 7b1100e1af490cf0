/* keep-above in C: ../README.md says what it does. No libc and no WASI: the functions that the contract asks for, written
 * out in the component model's canonical ABI as a binding generator would write them. */

#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

enum { PAGE_BYTES = 65536, MESSAGE_BYTES_MAX = 32 };

typedef struct {
    const uint8_t *bytes;
    uint32_t length;
} list;

typedef struct {
    uint32_t row;
    list code;
    list message;
} reject;

/* ---- memory: a heap that only grows within a call and is empty again after it ------------------------------------- */

extern uint8_t __heap_base;
static uintptr_t heap;

static void *allocate(size_t size, size_t align) {
    if (heap == 0) heap = (uintptr_t)&__heap_base;
    heap = (heap + align - 1) & ~(uintptr_t)(align - 1);
    void *at = (void *)heap;
    heap += size;
    size_t bytes = __builtin_wasm_memory_size(0) * PAGE_BYTES;
    if (heap > bytes) {
        size_t pages = (heap - bytes + PAGE_BYTES - 1) / PAGE_BYTES;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) __builtin_trap();
    }
    return at;
}

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    uint8_t *at = allocate(size, align);
    for (size_t i = 0; i < old_size && i < size; i++) at[i] = ((const uint8_t *)old)[i];
    return at;
}

static void release(void) { heap = (uintptr_t)&__heap_base; }

static list text(const char *characters) {
    uint32_t length = 0;
    while (characters[length]) length++;
    return (list){(const uint8_t *)characters, length};
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static uint32_t u32_at(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static int64_t i64_at(const uint8_t *at) { return (int64_t)(u32_at(at) | (uint64_t)u32_at(at + 4) << 32); }

/* A field of the flatbuffer table at a position; NULL where it has its default. */
static const uint8_t *field(const uint8_t *table, uint32_t number) {
    const uint8_t *vtable = table - (int32_t)u32_at(table);
    uint32_t entry = 4 + 2 * number, size = vtable[0] | vtable[1] << 8;
    uint32_t offset = entry < size ? (vtable[entry] | (uint32_t)vtable[entry + 1] << 8) : 0;
    return offset ? table + offset : NULL;
}

/* Where the offset that is stored at a position leads. */
static const uint8_t *follow(const uint8_t *at) { return at + u32_at(at); }

/* ---- what the contract asks for ----------------------------------------------------------------------------------- */

static int64_t limit;

typedef struct {
    list name, version;
    uint8_t determinism;
    list states;
} description;

enum { DETERMINISTIC = 0 };

EXPORT("volley:operator/lifecycle@0.1.0#describe") description *describe(void) {
    static description answer;
    answer = (description){text("keep-above"), text("0.1.0"), DETERMINISTIC, {NULL, 0}};
    return &answer;
}

/* A `result<binding, open-error>`: the case, then one or the other. */
typedef struct {
    uint8_t is_error;
    union {
        struct {
            list reads, outputs;
            uint8_t has_particulars;
            uint32_t particulars[3]; /* a case, a list and its length */
        } binding;
        struct {
            uint8_t kind;
            list message;
        } error;
    };
} opened;

enum { INVALID_CONFIG = 0 };

/* The whole number behind `"limit":`; false when there is none. */
static int find_limit(const uint8_t *config, uint32_t length, int64_t *found) {
    static const char KEY[] = "\"limit\":";
    const uint32_t key_length = sizeof KEY - 1;
    for (uint32_t start = 0; start + key_length < length; start++) {
        uint32_t at = 0;
        while (at < key_length && config[start + at] == (uint8_t)KEY[at]) at++;
        if (at < key_length) continue;
        at += start;
        int negative = config[at] == '-';
        at += (uint32_t)negative;
        if (at >= length || config[at] < '0' || config[at] > '9') return 0;
        uint64_t number = 0;
        while (at < length && config[at] >= '0' && config[at] <= '9') number = number * 10 + (config[at++] - '0');
        *found = negative ? -(int64_t)number : (int64_t)number;
        return 1;
    }
    return 0;
}

EXPORT("volley:operator/lifecycle@0.1.0#open")
opened *open_(const uint8_t *config, uint32_t config_length, const uint8_t *schema, uint32_t schema_length, const list *keys,
              uint32_t key_count, uint32_t has_time, const uint8_t *time, uint32_t time_length, int64_t time_offset_ms) {
    static opened answer;
    static list reads[1];
    (void)schema, (void)schema_length, (void)keys, (void)key_count;
    (void)has_time, (void)time, (void)time_length, (void)time_offset_ms;
    if (find_limit(config, config_length, &limit)) {
        reads[0] = text("x");
        answer.is_error = 0;
        answer.binding.reads = (list){(const uint8_t *)reads, 1};
        answer.binding.outputs = (list){NULL, 0};
        answer.binding.has_particulars = 0;
    } else {
        answer.is_error = 1;
        answer.error.kind = INVALID_CONFIG;
        answer.error.message = text("`limit`: expects a whole number");
    }
    release();
    return &answer;
}

EXPORT("volley:operator/lifecycle@0.1.0#close") void close_(void) {}

/* "x is NUMBER" */
static list message_of(int64_t value) {
    char *end = (char *)allocate(MESSAGE_BYTES_MAX, 1) + MESSAGE_BYTES_MAX, *at = end;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do *--at = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0) *--at = '-';
    for (const char *word = " si x"; *word; word++) *--at = *word;
    return (list){(const uint8_t *)at, (uint32_t)(end - at)};
}

/* A `result<filtered, failure>`, of which only the first case is ever given. */
typedef struct {
    uint8_t is_error;
    _Alignas(8) list keep;
    list rejects;
} filtered;

EXPORT("volley:operator/filter@0.1.0#filter") filtered *filter(const uint8_t *message, uint32_t length) {
    static filtered answer;
    (void)length;
    /* An encapsulated message: a marker, the length of the metadata, the metadata, the body. */
    const uint8_t *body = message + 8 + u32_at(message + 4);
    const uint8_t *batch = follow(field(follow(message + 8), 2));
    const uint8_t *buffers = follow(field(batch, 2)) + 4;
    uint32_t rows = (uint32_t)i64_at(field(batch, 0));
    const uint8_t *validity = i64_at(buffers + 8) ? body + i64_at(buffers) : NULL;
    const uint8_t *values = body + i64_at(buffers + 16);

    uint8_t *keep = allocate((rows + 7) / 8, 1);
    for (uint32_t i = 0; i < (rows + 7) / 8; i++) keep[i] = 0;
    uint32_t refused = 0;
    for (uint32_t row = 0; row < rows; row++) refused += i64_at(values + 8 * row) < 0;
    reject *rejects = allocate(refused * sizeof(reject), _Alignof(reject));
    refused = 0;
    for (uint32_t row = 0; row < rows; row++) {
        if (validity && !(validity[row / 8] >> (row % 8) & 1)) continue;
        int64_t x = i64_at(values + 8 * row);
        if (x < 0) rejects[refused++] = (reject){row, text("negative"), message_of(x)};
        else if (x > limit) keep[row / 8] |= (uint8_t)(1 << (row % 8));
    }
    answer = (filtered){0, {keep, (rows + 7) / 8}, {(const uint8_t *)rejects, refused}};
    return &answer;
}

EXPORT("cabi_post_volley:operator/filter@0.1.0#filter") void filter_done(filtered *answer) {
    (void)answer;
    release();
}
