#include "base/descriptors.h"

#include <dirent.h>
#include <sys/resource.h>

enum {
    ALLOWED_MOST = 1 << 30, /* counts as "unlimited"; sums with it do not overflow */
    SHARED_LEAST = 8,       /* for clients and backends together */
};

unsigned gw_descriptors_raise(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return ALLOWED_MOST;
    rlim_t before = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        files.rlim_cur = before;
    return files.rlim_cur < ALLOWED_MOST ? (unsigned)files.rlim_cur : ALLOWED_MOST;
}

unsigned gw_descriptors_count(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 3;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1; /* without the descriptor of the listing itself */
}

/* The most connections to backends that can be of use. */
static uint64_t descriptors_useful_upstream(const struct gw_descriptors_need *need)
{
    uint64_t most = (uint64_t)need->clients + need->clients / 3;
    return most < need->upstream ? most : need->upstream;
}

unsigned long long gw_descriptors_enough(const struct gw_descriptors_need *need)
{
    return need->reserved + need->clients + descriptors_useful_upstream(need);
}

bool gw_descriptors_share(struct gw_descriptors *descriptors, unsigned allowed, const struct gw_descriptors_need *need)
{
    unsigned shared = allowed > need->reserved ? allowed - need->reserved : 0;
    if (shared < SHARED_LEAST)
        return false;
    uint64_t wanted = descriptors_useful_upstream(need), part = (uint64_t)shared * 4 / 7;
    unsigned upstream = (unsigned)(wanted < part ? wanted : part);
    unsigned clients = need->clients < shared - upstream ? need->clients : shared - upstream;
    descriptors->clients_most = clients;
    descriptors->upstream_most = shared - clients;
    descriptors->kept_most = descriptors->upstream_most >= need->upstream ? UINT_MAX
                             : descriptors->upstream_most > clients       ? descriptors->upstream_most - clients
                                                                          : 1;
    return true;
}
