// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a fuzz target on the files of a corpus, without a fuzzer. A file that breaks the target ends
 * the program.
 *
 * usage: TARGET [DIRECTORY]
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536

static int run_file(const char *directory, const char *name)
{
	static uint8_t buffer[INPUT_MAX];
	char path[4096];
	uint8_t *data;
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return -1;
	}
	size = fread(buffer, 1, sizeof(buffer), file);
	fclose(file);
	/* Allocated with the exact size, so that the sanitizer finds a read beyond the end. */
	data = malloc(size ? size : 1);
	if (!data)
		return -1;
	for (size_t i = 0; i < size; i++)
		data[i] = buffer[i];
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : CORPUS;
	unsigned int passed = 0, failed = 0;
	struct dirent *entry;
	DIR *dir = opendir(directory);

	if (!dir) {
		perror(directory);
		return 1;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (run_file(directory, entry->d_name))
			failed++;
		else
			passed++;
	}
	closedir(dir);
	if (!passed)
		failed++;
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
