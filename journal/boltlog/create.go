package boltlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	bolt "go.etcd.io/bbolt"
)

// create makes an empty journal at path. If another process makes one at the same time, the first to link wins and both
// find it.
func create(path string) error {
	err := writeBeside(path, func(f *os.File) error { return initialize(f.Name()) })
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// writeBeside makes a file at path that fill has filled: it is written beside and then linked to path, so that whatever
// happens meanwhile there is either no file at path or a whole one; what may be left over is a file path + ".new-…",
// which can be deleted. Returns an error that wraps fs.ErrExist if there is a file at path.
func writeBeside(path string, fill func(*os.File) error) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory %s: %w", dir, fs.ErrNotExist)
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return &fs.PathError{Op: "create", Path: path, Err: pe.Err}
	}
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := fill(f); err != nil {
		_ = f.Close() // err says what is wrong
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// Not Rename: it would replace the file of a process that was faster, and with it what that was told is durable.
	err = os.Link(f.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return cmp.Or(syncDir(dir), err)
}

func initialize(path string) error {
	db, err := bolt.Open(path, fileMode, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		const layer = 1
		for _, name := range [][]byte{bucketOurs, bucketBatches, bucketParts, layerName(layer)} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		ours := tx.Bucket(bucketOurs)
		return errors.Join(putFormat(ours), ours.Put(keyLayers, encodeLayers([]uint64{layer})))
	})
	return cmp.Or(err, db.Close())
}

// syncDir makes a new name in dir durable: syncing the file stores its content only.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there, and need not be
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}
