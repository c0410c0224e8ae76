// Checks a log over C2SP tlog-tiles with code of others: fsck of Tessera, and golang.org/x/mod/sumdb.
//
// In: the URL of the log, a file with its verifier key, and a token. Out: one line per check; exit code 1 where one fails.
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	// Records whose proofs are checked, spread over the log.
	provenRecords = 97
)

func main() {
	if len(os.Args) != 4 {
		fail("usage: tlog-check URL VKEY_FILE TOKEN")
	}
	vkey, err := os.ReadFile(os.Args[2])
	check(err)
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	check(err)
	src := source{base: os.Args[1], token: os.Args[3]}
	runFsck(src, verifier)
	runSumdb(src, verifier)
}

// runFsck reads every entry and every tile, and recomputes all of them.
func runFsck(src source, verifier note.Verifier) {
	base, err := url.Parse(src.base)
	check(err)
	fetcher, err := client.NewHTTPFetcher(base, nil)
	check(err)
	fetcher.SetAuthorizationHeader("Bearer " + src.token)
	all := fsck.New(verifier.Name(), verifier, fetcher, hashEntries, fsck.Opts{N: 2})
	check(all.Check(context.Background()))
	fmt.Println("fsck ok")
}

func hashEntries(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(entries.Entries))
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// runSumdb proves records and earlier trees from tiles, as the go command does.
func runSumdb(src source, verifier note.Verifier) {
	signed, err := note.Open(src.read("checkpoint"), note.VerifierList(verifier))
	check(err)
	tree := parseTree(signed.Text, verifier.Name())
	reader := tlog.TileHashReader(tree, tiles{src})
	step := tree.N/provenRecords + 1
	for index := int64(0); index < tree.N; index += step {
		leaf := tlog.RecordHash(src.entry(index, tree.N))
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf))
		old, err := tlog.TreeHash(index+1, reader)
		check(err)
		consistency, err := tlog.ProveTree(tree.N, index+1, reader)
		check(err)
		check(tlog.CheckTree(consistency, tree.N, tree.Hash, index+1, old))
	}
	fmt.Printf("sumdb ok at %d\n", tree.N)
}

func parseTree(text string, origin string) tlog.Tree {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		fail("the checkpoint has another form: " + text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

type source struct {
	base  string
	token string
}

func (s source) read(path string) []byte {
	request, err := http.NewRequest(http.MethodGet, s.base+path, nil)
	check(err)
	request.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := http.DefaultClient.Do(request)
	check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	check(err)
	if answer.StatusCode != http.StatusOK {
		fail(fmt.Sprintf("%s: %s %s", path, answer.Status, body))
	}
	return body
}

// entry reads the entry at an index from its entry bundle.
func (s source) entry(index int64, size int64) []byte {
	tile := tlog.Tile{H: tileHeight, L: -1, N: index >> tileHeight, W: 1 << tileHeight}
	if rest := size - tile.N<<tileHeight; rest < int64(tile.W) {
		tile.W = int(rest)
	}
	var entries api.EntryBundle
	check(entries.UnmarshalText(s.read(pathOf(tile))))
	return entries.Entries[index&(1<<tileHeight-1)]
}

// tiles reads hash tiles. The go command writes the height into a path, C2SP tlog-tiles does not.
type tiles struct{ source }

func (t tiles) Height() int { return tileHeight }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, 0, len(wanted))
	for _, tile := range wanted {
		data = append(data, t.read(pathOf(tile)))
	}
	return data, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func pathOf(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
