//go:build !cuda

package cuda

import "errors"

func open() ([]*Device, error) {
	return nil, errors.New("this program was built without CUDA (make cuda)")
}
