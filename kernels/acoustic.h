// Arithmetic of the constant-density acoustic equation, shared by every build of the kernels (C for CPUs, CUDA C++).
//
// Equation, for the pressure u(x, t) and a source f:
//
//     (1/v²) ∂²u/∂t² = ∇²u + f
//
// Scheme (second order in time, order 2R in space), with M = v² dt²:
//
//     u[n+1] = 2 u[n] - u[n-1] + M (w[n] + f[n]),      w[n] = Σ_d ( D2_d u[n] + cpml_d[n] )
//
// D2_d are the central differences of order 2R along axis d. D1_d acts in the layers only, where a wave is to vanish and not to
// travel at the right speed: order 4 does for it at orders 6 and 8 as well. CPML after Pasalic & McGarry (2010, SEG Expanded
// Abstracts, "Convolutional perfectly matched layer for isotropic and anisotropic acoustic wave equations"):
//
//     ψ[n] = b ψ[n-1] + a D1 u[n]
//     ζ[n] = b ζ[n-1] + a (D2 u[n] + D1 ψ[n])
//     cpml = D1 ψ[n] + ζ[n]
//
// Adjoint of exactly these steps, for η[n] = M λ[n+1] with λ the adjoint of u and r the adjoint source (D1ᵀ = -D1 and
// D2ᵀ = D2 because fields vanish outside the grid, or are odd about a free surface); s and p are a times the adjoint
// variables of ζ and ψ:
//
//     s[n]   = b s[n+1] + a η[n]
//     p[n]   = b p[n+1] - a D1 (η[n] + s[n])
//     η[n-1] = 2 η[n] - η[n+1] + M ( Σ_d ( D2 (η[n] + s[n]) - D1 p[n] ) + r[n] )
//
//     ∂J/∂M  = (1/M) Σ_n η[n] (w[n] + f[n]),    ∂J/∂f[n] = η[n]
//
// The macros take scalars, GNU vectors or CUDA registers alike: they are the only place where the formulas stand.
#ifndef GOFWI_ACOUSTIC_H
#define GOFWI_ACOUSTIC_H

// Half the order of D1 in CPML.
#define ACOUSTIC_CPML_RADIUS(R) ((R) < 2 ? (R) : 2)

// Time step: value at n+1 (or n-1 in the adjoint) from now, the one before, M and the spatial part w.
#define ACOUSTIC_STEP(now, before, m, w) ((now) + (now) - (before) + (m) * (w))

// First-order recursions of CPML; every one of them has the form b·memory + a·drive. Along one axis, what drives ζ plus ζ is
// w, so that cpml is never formed by itself; the adjoint's minus sign of D1 is put into its weights.
#define CPML_MEMORY(memory, a, b, drive) ((b) * (memory) + (a) * (drive))

#endif
